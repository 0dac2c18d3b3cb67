#!/bin/sh
# OSSEC active response: reports the source address of an alert, and withdraws it after the timeout.
# OSSEC calls it with: add|delete USER SRCIP ALERTID RULEID [AGENT] [FILENAME]; `-` stands for nothing.
set -u
action=${1:-} address=${3:--} alert=${4:--} rule=${5:--} agent=${6:--}
report=${STOCKADE_REPORT:-/usr/local/bin/stockade-report}
host=$(uname -n)

case $action in add | delete) ;; *) exit 1 ;; esac
[ "$address" != - ] || exit 0
[ "$alert" = - ] && alert=$(date +%s)
comment="OSSEC rule $rule"
[ "$agent" = - ] || comment="$comment on $agent"
exec "$report" -s "ossec/$host" -c "$comment" -i "ossec-$host-$alert-$address" -- "$action" "$address"
