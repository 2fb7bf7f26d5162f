#!/bin/sh
# Puts what the tests need besides Go into .deps, in fixed versions, and on Debian, as
# root, installs its packages. Does nothing if they are installed already. It says first
# what it is about to install and what it cannot install; the tests that need the latter
# are skipped, and "make test" lists them at its end.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .deps

# The commands that tests need, and the packages of Debian that have them.
debian='
chromium-headless-shell chromium-headless-shell
curl curl
dbus-run-session dbus
fish fish
gnome-keyring-daemon gnome-keyring
java default-jre-headless
kcat kcat
man man-db
mandoc mandoc
microsocks microsocks
mvn maven
nginx nginx-light
node nodejs
npm npm
openssl openssl
prove perl
secret-tool libsecret-tools
setsid util-linux
shellcheck shellcheck
sqlite3 sqlite3
stunnel stunnel4
systemd-analyze systemd
tinyproxy tinyproxy
xmllint libxml2-utils
zsh zsh
'
node='ws@8.23.0 doshii-partner-node-sdk@7.0.2 wscat@6.1.0 rpc-websockets@10.0.1 graphql@16.15.0 graphql-ws@6.4.2 socket.io@4.8.4 @nostr-relay/core@0.0.40 @nostr-relay/common@0.0.40 nostr-tools@2.25.2'
python='jq==1.13.0 websockets==15.0.1 prometheus_client==0.26.0 kubernetes_validate==1.37.0'

have() { command -v "$1" >/dev/null; }
have_npm() {
	for package in $node; do
		grep -qs "\"version\": \"${package##*@}\"" ".deps/node_modules/${package%@*}/package.json" || return 1
	done
}
have_python() {
	for package in $python; do
		[ -d ".deps/python/${package%==*}-${package#*==}.dist-info" ] || return 1
	done
}
nats_version() { sed -n 's|^.*github.com/nats-io/nats-server/v2 v\([0-9.]*\).*|\1|p' tools/natsserver/go.mod; }
have_nats() { [ "$(.deps/nats-server --version 2>/dev/null)" = "nats-server: v$(nats_version)" ]; }
have_kafka() { [ -d .deps/kafka ] && (cd .deps/kafka && sha256sum --status -c ../../tools/kafka/SHA256SUMS 2>/dev/null); }
have_pip() { python3 -m pip --version >/dev/null 2>&1; }

commands=''
packages=''
while read -r command package; do
	if [ -n "$command" ] && ! have "$command"; then
		commands="$commands $command"
		packages="$packages $package"
	fi
done <<EOF
$debian
EOF
as_root=''
if [ "$(id -u)" = 0 ] && have apt-get; then
	as_root=1
fi

if [ -n "$packages" ] && [ -n "$as_root" ]; then
	echo "deps: about to install with apt-get:$packages"
elif [ -n "$commands" ]; then
	echo "deps: cannot install, without root or without apt-get:$commands"
fi
if ! have_npm; then
	if have npm || [ -n "$as_root" ]; then
		echo "deps: about to install into .deps with npm: $node"
	else
		echo "deps: cannot install, without npm: $node"
	fi
fi
if ! have_python; then
	if have_pip; then
		echo "deps: about to install into .deps with pip: $python"
	else
		echo "deps: cannot install, without pip: $python"
	fi
fi
if ! have_nats; then
	echo "deps: about to build into .deps with go: nats-server $(nats_version)"
fi
if ! have_kafka; then
	if have mvn || [ -n "$as_root" ]; then
		echo "deps: about to install into .deps with mvn: Apache Kafka"
	else
		echo "deps: cannot install, without mvn: Apache Kafka"
	fi
fi
tools/autobahn.sh plan

if [ -n "$packages" ] && [ -n "$as_root" ]; then
	apt-get update -qq >/dev/null 2>&1 || true
	for package in $packages; do # one by one: one that is not there must not keep the others away
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
			echo "deps: cannot install $package"
	done
fi
if ! have_npm && have npm; then # all at once: npm removes packages that are not in the command
	# shellcheck disable=SC2086 # several packages
	npm install --prefix .deps --no-package-lock --no-save --no-audit --no-fund \
		--ignore-scripts --loglevel=error $node >/dev/null || echo "deps: cannot install $node"
fi
if ! have_python && have_pip; then
	rm -rf .deps/python
	# shellcheck disable=SC2086 # several packages
	python3 -m pip install --quiet --disable-pip-version-check --no-compile --target .deps/python $python ||
		echo "deps: cannot install $python"
fi
if ! have_nats; then
	(cd tools/natsserver && go build -o ../../.deps/nats-server github.com/nats-io/nats-server/v2) || echo "deps: cannot build nats-server"
fi
if ! have_kafka && have mvn; then
	rm -rf .deps/kafka
	mvn -q -B -f tools/kafka/pom.xml "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies" \
		-DoutputDirectory="$PWD/.deps/kafka" >/dev/null || echo "deps: cannot install Apache Kafka"
	if ! have_kafka; then
		rm -rf .deps/kafka # not what it should be
		echo "deps: the checksums of Apache Kafka are not those of tools/kafka/SHA256SUMS"
	fi
fi
tools/autobahn.sh
