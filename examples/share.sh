#!/usr/bin/env bash
# Runs a command several times at once. Readers of one consumer group share the load:
#
#     examples/share.sh 2 hark drogue tail my-app --group workers
#     examples/share.sh 4 hark drogue tail my-app --group hook --to https://example.com/hook
#
# When one fails, that is reported, and the others take over its events. A signal goes
# to all. Ends when all have ended, with the first exit code that is not 0.
set -euo pipefail

count=${1:?usage: share.sh COUNT COMMAND ARGUMENT…}
shift

readers=()
stopped=
trap 'stopped=1; kill "${readers[@]}" 2>/dev/null || :' INT TERM
for ((i = 0; i < count; i++)); do
	"$@" &
	readers+=("$!")
done

status=0
for reader in "${readers[@]}"; do
	while kill -0 "$reader" 2>/dev/null; do # a signal ends the wait, not the reader
		wait "$reader" || :
	done
	code=0
	wait "$reader" || code=$?
	if [ "$code" != 0 ]; then
		[ -n "$stopped" ] || echo "share.sh: a reader has ended with $code" >&2
		[ "$status" != 0 ] || status=$code
	fi
done
exit "$status"
