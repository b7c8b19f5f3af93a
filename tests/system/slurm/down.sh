#!/usr/bin/env bash
# Stop the cluster that up.sh FOLDER started, its jobs first, and nothing else:   down.sh FOLDER
set -uo pipefail

folder=${1:?folder}
export SLURM_CONF=$folder/slurm.conf
[ -e "$SLURM_CONF" ] || exit 0

alive() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
stop() { # stop PID_FILE NAME: ask, wait up to ten seconds, then force
  local pid
  pid=$(cat "$1" 2>/dev/null) && alive "$pid" "$2" || return 0
  kill "$pid" 2>/dev/null
  for _ in $(seq 100); do
    alive "$pid" "$2" || return 0
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null
}

if timeout 10 scontrol ping >/dev/null 2>&1; then
  timeout 10 scancel --user="$(id -un)"
  for _ in $(seq 200); do # jobs have KillWait seconds (slurm.conf) to end
    [ -n "$(timeout 10 squeue -h)" ] || break
    sleep 0.2
  done
fi
for file in "$folder"/run/slurmd.*.pid; do stop "$file" slurmd; done
stop "$folder/run/slurmctld.pid" slurmctld
stop "$folder/run/munged.pid" munged
exit 0
