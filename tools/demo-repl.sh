#!/bin/sh
# A session at the prompt in tmux, as people have it: wide characters, a wrapped line
# with the cursor in its first row while messages arrive, a new size, a server that
# closes. Prints what is on the screen at each step; see "make demo-repl".
set -eu
cd "$(dirname "$0")/.."
command -v tmux >/dev/null || { echo "demo-repl: tmux is missing" >&2; exit 1; }
work=$(mktemp -d)
tmux="tmux -L hark-demo-$$ -f /dev/null"
trap '$tmux kill-server 2>/dev/null; kill $server $feed 2>/dev/null; rm -rf "$work"' EXIT
mkfifo "$work/lines"
sleep 60 >"$work/lines" & feed=$!
./hark serve 0 --echo <"$work/lines" >"$work/got" 2>"$work/err" & server=$!
until grep -q 'listening on' "$work/err"; do sleep 0.05; done
url=$(sed -n 's/.*listening on //p' "$work/err")

# shows TEXT: waits until the screen has it, then prints the screen.
shows() {
	tries=0
	until $tmux capture-pane -p | grep -qF -- "$1"; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ]; then
			echo "demo-repl: '$1' does not appear:" >&2
			$tmux capture-pane -p >&2
			exit 1
		fi
		sleep 0.05
	done
	echo "---- $1"
	$tmux capture-pane -p | sed '/^$/d'
}
keys() { $tmux send-keys "$@"; }

$tmux new-session -d -x 50 -y 20 "HOME='$work' NO_COLOR=1 ./hark connect $url; echo ended with \$?; sleep 10"
shows 'ready'
keys '日本語 😀' Enter
shows '< 日本語 😀'
keys 'a line that is longer than the screen is wide, so that it is wrapped' C-a
echo 'while you type' >"$work/lines"
echo 'and again' >"$work/lines"
shows '< and again'
keys C-e '!' Enter
shows 'wrapped!'
$tmux resize-window -x 70 -y 20
keys '/ping 2' Enter
shows 'pong 2 after'
keys '/pretty' Enter '{"type":"order",' Enter '"items":[1,2]}' Enter
shows '"order"'
keys 'half'
echo '/close 1 4000 enough' >"$work/lines"
shows '(closed) > half'
keys C-c '/reconnect' Enter '/status' Enter '/quit' Enter
shows 'ended with 0'
