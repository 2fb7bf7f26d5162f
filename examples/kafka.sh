#!/usr/bin/env bash
# Sends each event to a topic of Kafka, with kcat:
#
#     examples/kafka.sh broker1:9092,broker2:9092 events drogue tail my-app --group kafka
#
# Brokers may be unavailable for TIMEOUT milliseconds, by default as long as it takes;
# kcat and hark buffer events meanwhile. What has not been sent by then is said, and the
# script ends with kcat's 1, otherwise with the exit code of hark. After a signal kcat
# still sends what has come; a second one ends it too. For anything but the addresses of
# the brokers there is ~/.config/kcat.conf.
set -euo pipefail

usage='usage: kafka.sh BROKERS TOPIC octave|drogue|… ARGUMENTS OF HARK'
brokers=${1:?$usage} topic=${2:?$usage}
shift 2

exec 3< <(exec hark "$@")
hark=$!
trap 'trap "kill \$kcat" INT TERM; kill "$hark" 2>/dev/null || :' INT TERM

# A process group of its own keeps Ctrl-C from kcat.
set -m
kcat -P -E -b "$brokers" -t "$topic" \
	-X enable.idempotence=true -X message.timeout.ms="${TIMEOUT:-0}" <&3 &
kcat=$!
set +m
exec 3<&- # when kcat ends first, the pipe has no reader, and hark ends too

while kill -0 "$kcat" 2>/dev/null; do # a signal ends the wait, not kcat
	wait "$kcat" || :
done
wait "$kcat"
wait "$hark"
