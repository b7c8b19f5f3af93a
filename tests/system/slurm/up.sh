#!/usr/bin/env bash
# Start a private SLURM cluster on this one machine: munge, a controller, and nodes that declare GPUs nobody has.
#
#   up.sh FOLDER FIRST_PORT [NODES [GPUS_PER_NODE]]
#
# Everything lies under FOLDER; nothing of the machine is changed. With FOLDER/bin first in PATH, SLURM's commands talk to this
# cluster. Ends with 77 and a reason where this machine cannot do it. down.sh FOLDER stops it.
set -euo pipefail

folder=${1:?folder} port=${2:?first port} nodes=${3:-2} gpus=${4:-1}
cpus=4 memory=16000 # declared per node; the machine may have less
host=$(hostname -s)

cannot() { echo "no SLURM cluster here: $*"; exit 77; }
fail() { echo "up.sh: $*; see $folder/log" >&2; exit 1; }
[ "$(id -u)" = 0 ] || cannot "its daemons must be started by root"
PATH=$PATH:/usr/sbin:/sbin
commands="sbatch scancel scontrol sinfo squeue srun"
for program in slurmctld slurmd munged $commands; do
  command -v $program >/dev/null || cannot "$program is not installed (apt-get install slurmctld slurmd slurm-client munge)"
done
getent hosts "$host" >/dev/null || cannot "the name of this machine, $host, does not resolve (add it to /etc/hosts)"
case $folder in /*) ;; *) fail "FOLDER must be an absolute path" ;; esac
# A socket's path has at most 107 characters, and SLURM's own are up to 40 longer than the folder's.
[ ${#folder} -le 65 ] || fail "FOLDER is longer than 65 characters"

mkdir -p "$folder"/{bin,log,run,state}
cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmUser=root
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
AuthType=auth/munge
# A requeued job waits until its old credential has expired, two minutes if nothing is said.
AuthInfo=socket=$folder/run/munge.sock,cred_expire=10
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
# No control groups and no accounting: neither is to be had everywhere.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
# The nodes are this machine several times over: believe this file, not the hardware.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# A job above its memory is killed, as on a real cluster; without control groups by looking every two seconds.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
# Seconds between SIGTERM and SIGKILL; SLURM's default.
KillWait=30
# Seconds after which a node that says nothing is down, and its jobs go to another.
SlurmdTimeout=10
# Seconds that finished jobs stay in the list: it stands in for accounting.
MinJobAge=3600
ReturnToService=2
# Jobs start as soon as they are submitted and there is room.
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,bf_interval=1
GresTypes=gpu
NodeName=node[1-$nodes] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + nodes))] CPUs=$cpus CoresPerSocket=$cpus RealMemory=$memory Gres=gpu:$gpus
# A job of the second partition takes the place of jobs of the first, which start again when there is room.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=all Nodes=ALL Default=YES MaxTime=1-0 PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=1-0 PriorityTier=10 PreemptMode=OFF
CONF
for number in $(seq "$gpus"); do
  # SLURM only looks whether it is a character device, and hands out numbers.
  ln -sf /dev/null "$folder/run/gpu$((number - 1))"
  echo "NodeName=node[1-$nodes] Name=gpu File=$folder/run/gpu$((number - 1))"
done >"$folder/gres.conf"

export SLURM_CONF=$folder/slurm.conf
# Setting this variable is not enough: inside jobs Snakemake's SLURM plugin drops every SLURM_ variable before it calls srun.
for program in $commands; do
  printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v "$program")" >"$folder/bin/$program"
  chmod +x "$folder/bin/$program"
done

wait_for() { # wait_for SECONDS WHAT COMMAND...
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt "$end" ] || fail "$what did not come up"
    sleep 0.2
  done
}
munge_works() { munge -n -S "$folder/run/munge.sock" | unmunge -S "$folder/run/munge.sock"; }
nodes_idle() { [ "$(sinfo -h -t idle -o %D)" = "$nodes" ]; }

cd /
(umask 077 && head -c 1024 /dev/urandom >"$folder/run/munge.key")
# --force: FOLDER may be closed to other users (pytest's are), and nobody else need reach the socket.
munged --force --key-file="$folder/run/munge.key" --socket="$folder/run/munge.sock" --pid-file="$folder/run/munged.pid" \
  --log-file="$folder/log/munged.log" --seed-file="$folder/run/munge.seed" || fail "munged did not start"
wait_for 30 munged munge_works
slurmctld -f "$SLURM_CONF" || fail "slurmctld did not start"
wait_for 60 slurmctld scontrol ping
for number in $(seq "$nodes"); do
  mkdir -p "$folder/spool/node$number"
  slurmd -f "$SLURM_CONF" -N "node$number" || fail "slurmd of node$number did not start"
done
wait_for 60 "every node" nodes_idle
