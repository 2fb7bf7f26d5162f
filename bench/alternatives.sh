#!/bin/sh
# Tries what docs/alternatives.md says of hark, wscat, websocat and curl, and prints the rows
# of its table: "yes" where the script of a client exits with 0. A client that is not
# installed gets a dash; bench/peers.sh installs wscat and websocat into .deps. curl must have
# been built with WebSocket, as 8.11 and later are by default. Takes a few minutes. Rows that
# need microsocks, stunnel4 or script are left out where these are not installed. ONLY=TEXT
# tries the rows with that text, VERBOSE=1 shows what the clients print.
#
#	make build && bench/alternatives.sh
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root:$root/.deps/node_modules/.bin:$root/.deps/cargo/bin:$PATH
export PATH

# Functions for the scripts of a row, which run in an empty folder.
cat >"${prelude:=$(mktemp)}" <<'END'
listening() { # PATTERN FILE: waits for a line of a file
	until grep -q "$1" "$2" 2>/dev/null; do sleep 0.1; done
}
# try SCRIPT: runs it for 10 s at most, or TRY, with stdin open as at a terminal, and leaves what it
# prints in out and err.
try() {
	mkfifo stdin
	sleep 60 >stdin &
	code=0
	timeout "${TRY:-10}" sh -c "$1" <stdin >out 2>err || code=$?
	return "$code"
}
failed() { [ "$1" != 0 ] && [ "$1" != 124 ]; } # neither success nor our time limit
# emulated FAULT: 50 events a second, and a fault, at $url; $private requires a token.
emulated() {
	hark emulate drogue --rate "${RATE:-50}" --fault "$1" >env &
	listening ^HARK_DEMO_CHANNEL env
	url=$(sed -n s/^HARK_DROGUE_ENDPOINT=//p env)/public-app
	private=${url%public-app}demo-app?token=wrong
	export url private
}
# replayed: three messages, of JSON over two lines, of text, and of two bytes, at $url.
replayed() {
	cat >three.tape <<'EOF'
{"format":"hark-tape","version":1,"time":"2026-01-01T00:00:00Z","service":"connect"}
{"time":"2026-01-01T00:00:00Z","dir":"out","op":"handshake","request":{"url":"ws://x/","header":{}},"response":{"status":101,"header":{}}}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"text","text":"{\"a\":\n1}"}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"text","text":"plain"}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"binary","base64":"AAE="}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"close","code":1000,"reason":""}
EOF
	hark replay three.tape --speed max >address 2>/dev/null &
	listening ^ws address
	url=$(cat address)
	export url
}
# echoed: a server that sends back what it gets, at $url.
echoed() {
	hark serve 0 --echo -v </dev/null >got 2>serve &
	listening 'listening on' serve
	url=$(sed -n 's/.*listening on //p' serve)
	export url
}
# kept SCRIPT: what is typed at a terminal is on the disk afterwards.
kept() {
	echoed
	{ sleep 1; echo typed-by-hand; sleep 1; } | TERM=xterm timeout 10 script -qec "$1" /dev/null >out 2>&1
	grep -rqs typed-by-hand "$HOME"
}
# proxied SCRIPT: it asks the proxy of the environment, which is none.
proxied() {
	echoed
	export http_proxy="http://${url#ws://}"
	try "$1"
	grep -Eiq '426|proxy' out err
}
# socks: a SOCKS5 proxy at 127.0.0.1:$socks, and the server of echoed.
socks() {
	echoed
	socks=$((20000 + $$ % 20000))
	export socks
	microsocks -i 127.0.0.1 -p "$socks" >socks.log 2>&1 &
	sleep 1
}
# certified: a server of wss:// that requires the certificate client.pem (client.p12), at $url.
certified() {
	echoed
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 1 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1 2>/dev/null
	cat key cert >client.pem
	openssl pkcs12 -export -in client.pem -out client.p12 -passout pass: 2>/dev/null
	port=$((20000 + $$ % 20000))
	printf '%s\n' foreground=yes pid= '[x]' "accept=127.0.0.1:$port" "connect=${url#ws://}" cert=client.pem \
		verifyPeer=yes CAfile=cert >stunnel.conf
	stunnel4 stunnel.conf 2>stunnel.log &
	listening 'Configuration successful' stunnel.log
	sleep 1
	url=wss://127.0.0.1:$port
	export url
}
accepted() { listening 'connected\|joined\|client 1' serve; }
END

one() { # CLIENT SCRIPT
	if [ -z "$2" ]; then
		printf ' |'
		return
	fi
	command -v "$1" >/dev/null || { printf ' – |'; return; }
	folder=$(mktemp -d)
	mkdir "$folder/home"
	if (cd "$folder" && HOME=$folder/home setsid --wait timeout 60 sh -c ". $prelude; $2; code=\$?; trap '' TERM; kill -TERM 0; exit \$code") >"$folder/log" 2>&1; then
		printf ' yes |'
	else
		printf ' no |'
	fi
	[ -z "${VERBOSE:-}" ] || { echo; tail -v -n 5 "$folder/log" "$folder/out" "$folder/err"; } >&2
	rm -rf "$folder"
}

row() { # NAME HARK WSCAT WEBSOCAT CURL
	case $1 in *${ONLY:-}*) ;; *) return ;; esac
	printf '| %s |' "$1"
	one hark "$2"
	one wscat "$3"
	one websocat "$4"
	one curl "$5"
	echo
}

# Expanded by the shell of "try".
# shellcheck disable=SC2016
W='wscat -c "$url"'
# shellcheck disable=SC2016
S='websocat -E -B 1000000 "$url"'
# shellcheck disable=SC2016
C='curl -sN "$url"'
# shellcheck disable=SC2016
valid='[ "$(cat out)" = "$(printf "{\"a\": 1}\n\"plain\"\n{\"data_base64\":\"AAE=\"}")" ]'

row 'one JSON value per line, whatever arrives' \
	"replayed; try 'hark connect \"\$url\"'; $valid" "replayed; try '$W'; $valid" "replayed; try '$S'; $valid" "replayed; try '$C'; $valid"
row 'jq filter built in' \
	"[ \"\$(hark drogue tail --emulator demo-app -n 1 --jq .type)\" = '\"io.drogue.event.v1\"' ]" \
	"wscat --help | grep -qw jq" "websocat --help=long | grep -qw jq" "curl --help all | grep -qw jq"
row 'exit after N messages' \
	"emulated extra; try 'hark connect \"\$url\" -n 3' && [ \"\$(wc -l <out)\" = 3 ]" \
	"wscat --help | grep -Eq -- '--(count|max-messages)'" \
	"emulated extra; try 'websocat -B 1000000 --max-messages-rev 3 \"\$url\"'; [ \"\$(wc -l <out)\" = 3 ]" \
	"curl --help all | grep -q -- --max-messages"
row 'exit code from the content of a message' \
	"emulated extra; try 'hark connect \"\$url\" --expect \".subject == \\\"level\\\"\"'" \
	"wscat --help | grep -Eq 'expect|until|match'" "websocat --help=long | grep -Eq -- '--(expect|until|match)'" "curl --help all | grep -Eq 'expect |until|match'"
row 'exit code when the connection is lost' \
	"emulated 'after=2 drop'; try 'hark connect \"\$url\"'; failed \$?" "emulated 'after=2 drop'; try '$W'; failed \$?" \
	"emulated 'after=2 drop'; try '$S'; failed \$?" "emulated 'after=2 drop'; try '$C'; failed \$?"
row 'exit code when the server closes with an error status' \
	"emulated 'after=2 close=1011'; try 'hark connect \"\$url\"'; failed \$?" "emulated 'after=2 close=1011'; try '$W'; failed \$?" \
	"emulated 'after=2 close=1011'; try '$S'; failed \$?" "emulated 'after=2 close=1011'; try '$C'; failed \$?"
row 'different exit codes for "refused" and "unreachable"' \
	"emulated extra; differ() { [ \$1 != \$2 ]; }; hark connect \$private; a=\$?; hark connect ws://127.0.0.1:1; differ \$a \$?" \
	"emulated extra; differ() { [ \$1 != \$2 ]; }; try 'wscat -c \$private'; a=\$?; rm stdin; try 'wscat -c ws://127.0.0.1:1'; differ \$a \$?" \
	"emulated extra; differ() { [ \$1 != \$2 ]; }; try 'websocat \$private'; a=\$?; rm stdin; try 'websocat ws://127.0.0.1:1'; differ \$a \$?" \
	"emulated extra; differ() { [ \$1 != \$2 ]; }; try 'curl -s \$private'; a=\$?; rm stdin; try 'curl -s ws://127.0.0.1:1'; differ \$a \$?"
row 'time limit with an exit code' \
	"emulated 'after=2 pause=1h'; try 'hark connect \"\$url\" -n 5 -m 2s'; failed \$?" "wscat --help | grep -Eq 'timeout|max-time'" \
	"websocat --help=long | grep -Eq 'max-time|global-timeout'" "emulated 'after=2 pause=1h'; try '$C -m 2'; failed \$?"
row 'detects a connection that went silent' \
	"emulated 'after=2 silence'; try 'hark connect \"\$url\" --ping-interval 500ms --ping-timeout 1s'; failed \$?" \
	"emulated 'after=2 silence'; try '$W'; failed \$?" \
	"emulated 'after=2 silence'; try '$S --ping-interval 1 --ping-timeout 2'; [ \$? != 124 ]" \
	"emulated 'after=2 silence'; TRY=20 try '$C --speed-limit 1 --speed-time 2'; failed \$?"
row 'reconnects' \
	"emulated 'after=2 times=1 drop'; try 'hark connect --reconnect \"\$url\" -n 5' && [ \"\$(wc -l <out)\" = 5 ]" "wscat --help | grep -q reconnect" \
	"emulated 'after=2 times=1 drop'; try 'websocat -B 1000000 - \"autoreconnect:\$url\"'; [ \"\$(wc -l <out)\" -gt 5 ]" \
	"emulated 'after=2 times=1 drop'; try '$C --retry 3 --retry-all-errors -m 8'; [ \"\$(grep -o specversion out | wc -l)\" -gt 5 ]"
row 'reports what may have been lost meanwhile' \
	"emulated 'after=2 times=1 drop'; try 'hark connect --reconnect \"\$url\" -n 5'; grep -q 'events between .*' err" \
	"wscat --help | grep -q reconnect" "emulated 'after=2 times=1 drop'; try 'websocat -B 1000000 - \"autoreconnect:\$url\"'; grep -Eiq 'missing|lost|gap' err" \
	"emulated 'after=2 times=1 drop'; try 'curl -N --retry 3 --retry-all-errors -m 8 \"\$url\"'; grep -Eiq 'missing|lost|gap' err"
row 'sends all lines of stdin in a pipe' \
	"echoed; printf 'a\nb\n' | hark connect \"\$url\" --send - -n 2 | grep -q b" "echoed; { printf 'a\nb\n'; sleep 3; } | timeout 5 wscat -c \"\$url\" | grep -q b" \
	"echoed; printf 'a\nb\n' | timeout 5 websocat -n \"\$url\" | grep -q b" "echoed; { printf 'a\nb\n'; sleep 3; } | timeout 5 curl -sN -T . \"\$url\" | grep -q b"
row 'records a session and serves it to other clients' \
	"emulated extra; try 'hark connect \"\$url\" -n 3 --record x.tape' && hark play x.tape -n 3 | diff - out" \
	"wscat --help | grep -Eq 'record|replay'" "websocat --help=long | grep -Eq 'record|replay-'" "curl --help all | grep -Eq 'record|replay'"
command -v script >/dev/null && row 'prompt with history from earlier sessions' \
	"kept 'hark connect \$url'" "kept 'wscat -c \$url'" "kept 'websocat \$url'" "kept 'curl -sN \$url'"
row 'ping and close by hand' \
	"echoed; printf '/ping\n/close 4000 done\n' | hark connect -i \"\$url\" && listening '4000 done' serve" \
	"echoed; { sleep 1; echo '/close 4000 done'; sleep 1; } | TERM=xterm timeout 10 script -qec 'wscat --slash -c \$url' /dev/null; timeout 3 sh -c 'until grep -q 4000 serve; do sleep 0.1; done'" \
	"websocat --help=long | grep -Eq '/ping|slash'" "curl --help all | grep -q /ping"
row 'is also a server' \
	"echoed; hark connect \"\$url\" --send x -n 1" \
	"{ sleep 60 | wscat -l 24871 & } ; sleep 2; hark connect ws://127.0.0.1:24871 --ready-only" \
	"{ sleep 60 | websocat -s 24872 & } ; sleep 2; hark connect ws://127.0.0.1:24872 --ready-only" "curl --help all | grep -q -- --listen"
row 'uses the proxy of the environment' \
	"proxied 'hark connect ws://name.invalid'" "proxied 'wscat -c ws://name.invalid'" "proxied 'websocat ws://name.invalid'" "proxied 'curl -v ws://name.invalid'"
command -v microsocks >/dev/null && row 'SOCKS5 proxies' \
	"socks; timeout 5 hark connect \"\$url\" -x socks5://127.0.0.1:\$socks --send x -n 1" "wscat --help | grep -q socks" \
	"socks; echo x | timeout 5 websocat --socks5 127.0.0.1:\$socks \"\$url\" | grep -q x" \
	"socks; timeout 3 curl -svN -x socks5://127.0.0.1:\$socks \"\$url\" 2>&1 | grep -q ' 101 '"
command -v stunnel4 >/dev/null && row 'client certificates' \
	"certified; hark connect \"\$url\" --cacert cert --cert client.pem --key key --send x -n 1" \
	"certified; sleep 5 | timeout 6 wscat -c \"\$url\" --ca cert --cert client.pem --key key -x x -w 2 | grep -q x" \
	"certified; echo x | SSL_CERT_FILE=\$PWD/cert timeout 5 websocat \"\$url\" --client-pkcs12-der client.p12 | grep -q x" \
	"certified; timeout 3 curl -svN --cacert cert --cert client.pem --key key \"\$url\" 2>&1 | grep -q ' 101 '"
row 'TCP, UDP and programs as the other end' \
	"hark connect tcp:127.0.0.1:1; [ \$? != 2 ]" "wscat --help | grep -q tcp:" "[ \"\$(echo x | websocat -n - cmd:cat)\" = x ]" "curl --help all | grep -q exec:"
rm -f "$prelude"
