#!/usr/bin/env bash
# Runs a command when a value rises above a limit, once for each rise:
#
#     examples/alert.sh 30 'logger -t tank "$1 has $2"' octave subscribe /acme/devices/tank/level
#     hark emulate octave -- examples/alert.sh 20 'echo "$1 has $2"' octave subscribe /demo/stream
#
# VALUE and NAME are jq expressions: the compared value, and what distinguishes one
# sensor from another. A command that fails is said, and tried again with the next high
# value. Ends with the exit code of hark.
set -euo pipefail

usage='usage: alert.sh LIMIT COMMAND octave|drogue|… ARGUMENTS OF HARK'
limit=${1:?$usage} command=${2:?$usage}
shift 2
VALUE=${VALUE:-.value.elems.temperature} NAME=${NAME:-.value.path}

# A sensor, whether its value is high, and the value, with tabs between them.
exec 3< <(exec hark "$@" --argjson "limit=$limit" -r --jq "
	($VALUE) as \$value | select(\$value | type == \"number\")
	| [($NAME), \$value > \$limit, \$value] | @tsv")
hark=$!
trap 'kill "$hark" 2>/dev/null || :' INT TERM

declare -A alerted=()
while IFS=$'\t' read -r name high value <&3; do
	if [ "$high" = false ]; then
		unset 'alerted[$name]'
	elif [ -z "${alerted[$name]:-}" ]; then
		if sh -c "$command" alert "$name" "$value" </dev/null; then
			alerted[$name]=1
		else
			echo "alert.sh: the command failed for $name with $value" >&2
		fi
	fi
done
wait "$hark"
