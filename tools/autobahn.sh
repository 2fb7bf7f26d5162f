#!/bin/sh
# Puts the fuzzing server of the Autobahn test suite into .deps/autobahn, where
# "serve SPEC" starts it. It is written in Python 2, which systems have no more: the
# interpreter, PyPy, comes out of packages of Debian 11, which are unpacked and not
# installed. Does nothing when it is there already. "autobahn.sh plan" only says whether
# it is about to install it.
set -eu
cd "$(dirname "$0")/.."
here=$PWD/.deps/autobahn
# program writes the programs that start the server, without its web pages, which have a
# fixed port.
program() {
	cat >"$here/serve.new" <<'EOF'
#!/bin/sh
# serve SPEC: the fuzzing server, as configured by a specification file.
here=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH=$(echo "$here"/debian/usr/lib/*-linux-*) PYTHONPATH=$here/site PYTHONDONTWRITEBYTECODE=1
export LD_LIBRARY_PATH PYTHONPATH PYTHONDONTWRITEBYTECODE
exec "$here/debian/usr/bin/pypy" "$here/wstest.py" -m fuzzingserver --webport 0 -s "$1"
EOF
	cat >"$here/wstest.new" <<'EOF'
# The fuzzing server without what it imports and does not need: TLS and WAMP. It waits
# AUTOBAHN_PATIENCE times as long for a client as the suite says, which is a second in most
# cases and too short on a loaded machine.
import os
import sys
import types

import twisted.internet

ssl = types.ModuleType('twisted.internet.ssl')
for name in 'DefaultOpenSSLContextFactory', 'ClientContextFactory', 'CertificateOptions':
    setattr(ssl, name, type(name, (object,), {}))
sys.modules['twisted.internet.ssl'] = twisted.internet.ssl = ssl
serializer = sys.modules['autobahntestsuite.serializer'] = types.ModuleType('serializer')
serializer.start = None

from autobahntestsuite import fuzzing, wstest

patience = float(os.environ.get('AUTOBAHN_PATIENCE', '1'))


def patient(name):
    method = getattr(fuzzing.FuzzingProtocol, name)
    setattr(fuzzing.FuzzingProtocol, name, lambda self, delay: method(self, delay * patience))


patient('closeAfter')
patient('killAfter')

wstest.run()
EOF
	mv "$here/wstest.new" "$here/wstest.py"
	chmod +x "$here/serve.new"
	mv "$here/serve.new" "$here/serve"
}
if [ -x "$here/serve" ]; then
	program # it may be an older one
	exit
fi
missing() {
	echo "deps: cannot install the Autobahn test suite: $1"
	exit 0
}
plan=${1-}
cannot() { # is said once, in the plan
	[ "$plan" ] || exit 0
	missing "$1"
}
for command in apt-get dpkg cc python3; do
	command -v $command >/dev/null || cannot "$command is missing"
done
if ! [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || ! python3 -m pip --version >/dev/null 2>&1; then
	cannot "neither pip nor Debian's keyring is there"
fi
if [ "$plan" ]; then
	echo 'deps: about to install into .deps: the Autobahn test suite, with PyPy 2.7 from Debian 11'
	exit
fi
rm -rf "$here"
mkdir -p "$here/apt/lists/partial" "$here/apt/archives/partial" "$here/debian" "$here/tmp"
trap 'rm -rf "$here/apt" "$here/tmp"' EXIT

# An apt of its own, so that the system learns nothing of another release. The mirror
# is the system's.
# shellcheck disable=SC2016 # it is for apt-get to expand
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$') ||
	missing 'no mirror of Debian'
cd "$here/apt"
touch status
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bullseye main" >sources
cat >conf <<EOF
Dir::Etc::sourcelist "$PWD/sources";
Dir::Etc::sourceparts "-";
Dir::State "$PWD";
Dir::State::status "$PWD/status";
Dir::Cache "$PWD";
APT::Sandbox::User "";
Acquire::Languages "none";
EOF
APT_CONFIG=$PWD/conf
export APT_CONFIG
{ apt-get update -qq && apt-get download -qq pypy pypy-lib pypy-dev libffi7 libssl1.1; } >log 2>&1 || missing 'PyPy 2.7 cannot be downloaded'
for package in *.deb; do
	dpkg -x "$package" "$here/debian"
done

# pip for Python 2, and with it what the server needs. TLS is left out: it is only
# spoken to in the clear.
cd "$here/tmp"
TMPDIR=$PWD
PIP_DISABLE_PIP_VERSION_CHECK=1
PIP_NO_PYTHON_VERSION_WARNING=1
LD_LIBRARY_PATH=$(echo "$here"/debian/usr/lib/*-linux-*)
export TMPDIR PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_PYTHON_VERSION_WARNING
env LD_LIBRARY_PATH= python3 -m pip download -q --no-deps --python-version 27 --only-binary :all: -d . \
	pip==20.3.4 setuptools==44.0.0 >log 2>&1 || missing 'pip for Python 2 cannot be installed'
PYTHONPATH=$here/site:$PWD/pip-20.3.4-py2.py3-none-any.whl:$PWD/setuptools-44.0.0-py2.py3-none-any.whl
export LD_LIBRARY_PATH PYTHONPATH
python2() {
	env -u PIP_FIND_LINKS "$here/debian/usr/bin/pypy" -m pip install -q --no-deps --no-build-isolation --no-compile \
		--no-cache-dir --target "$here/site" "$@" >log 2>&1 || missing "Python packages cannot be installed ($(tail -1 log))"
}
python2 setuptools==44.0.0 wheel==0.37.1 incremental==17.5.0 attrs==21.4.0 six==1.16.0
python2 txaio==2.1.0 autobahn==0.10.9 zope.interface==4.6.0 Twisted==19.10.0 constantly==15.1.0 hyperlink==21.0.0 \
	idna==2.10 typing==3.10.0.0 Automat==20.2.0 PyHamcrest==1.10.1 klein==17.10.0 Werkzeug==1.0.1 jinja2==2.11.3 \
	markupsafe==1.1.1 autobahntestsuite==25.10.1
touch "$here/site/zope/__init__.py"

program
