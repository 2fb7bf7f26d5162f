#!/bin/sh
# A smoke test of everything between a device and those who listen to it: one reading
# goes in as a device sends it, and must be received from the stream.
#
#     hark emulate drogue --rate 0 -- examples/smoke-test.sh
#
# The device speaks when the stream is ready, neither before nor on a guess; with Drogue
# Cloud, which says nothing, that is its first ping, after 5 s. The exit code is 0 if
# the reading was received, and 4 if another one was or none; a CI system reads why in
# smoke-test.xml.
#
# With an installation of your own, set HARK_DROGUE_ENDPOINT and HARK_DROGUE_TOKEN
# to reach its stream, HARK_DROGUE_PASSWORD to reach it as a device, and APP and
# DEVICE.
set -eu

APP=${APP:-demo-app}
DEVICE=${DEVICE:-smoke-test}
SENT=${SENT:-21.5} EXPECTED=${EXPECTED:-21.5} LIMIT=${LIMIT:-20s}
export APP DEVICE SENT

# shellcheck disable=SC2016 # what is quoted is for the shell of --on-ready, and for jq
exec hark drogue tail "$APP/temperature" \
	--on-ready 'hark drogue publish "$APP/temperature" --device "$DEVICE" "{\"temp\":$SENT}"' \
	--argjson "expected=$EXPECTED" --arg "device=$DEVICE" \
	--expect '.device == $device and .data.temp == $expected' \
	--max-time "$LIMIT" \
	--report junit=smoke-test.xml
