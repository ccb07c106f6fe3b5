"""Preambles that give imported scripts the variables and commands of the system they were written for.

They rest on the variables that every engine of ours sets, under SkyPilot's names.
"""

from __future__ import annotations

import re

_SLURM = re.compile(r"\bsrun\b|\bscontrol\s+show\s+hostnames?\b|\$\{?SLURM_")
_DSTACK = re.compile(r"\$\{?DSTACK_")

SLURM = """\
# What the batch script expects of Slurm, on this node of the gang.
export SLURM_NNODES="$SKYPILOT_NUM_NODES" SLURM_JOB_NUM_NODES="$SKYPILOT_NUM_NODES"
export SLURM_NODEID="$SKYPILOT_NODE_RANK" SLURM_JOB_ID="$SKYPILOT_TASK_ID"
export SLURM_NTASKS_PER_NODE={per_node} SLURM_NTASKS="$((SKYPILOT_NUM_NODES * {per_node}))"
export SLURM_GPUS_ON_NODE="$SKYPILOT_NUM_GPUS_PER_NODE" SLURM_JOB_NODELIST="$(paste -sd, <<<"$SKYPILOT_NODE_IPS")"
export SLURM_NODELIST="$SLURM_JOB_NODELIST" SLURM_LOCALID=0 SLURM_PROCID="$((SKYPILOT_NODE_RANK * {per_node}))"
scontrol() {{ tr , '\\n' <<<"${{3:-$SLURM_JOB_NODELIST}}"; }}
srun() {{
  local task status=0 tasks=() here={per_node} total=
  while [ $# -gt 0 ]; do
    case "$1" in
      --ntasks=*) total="${{1#*=}}"; shift ;;
      --ntasks | -n) total="$2"; shift 2 ;;
      -n[0-9]*) total="${{1#-n}}"; shift ;;
      --ntasks-per-node=*) here="${{1#*=}}"; shift ;;
      --*=* | --label | --exclusive | --unbuffered | --exact | --overlap) shift ;;
      --* | -[NcpJoeiwGAtmD]) shift 2 ;;
      -*) shift ;;
      *) break ;;
    esac
  done
  local first=$((SKYPILOT_NODE_RANK * here))
  if [ -n "$total" ] && [ $((total - first)) -lt "$here" ]; then here=$((total - first)); fi
  for ((task = 0; task < here; task++)); do
    SLURM_LOCALID=$task SLURM_PROCID=$((first + task)) SLURM_NTASKS="${{total:-$SLURM_NTASKS}}" "$@" &
    tasks+=($!)
  done
  for task in "${{tasks[@]}}"; do wait "$task" || status=$?; done
  return $status
}}
"""

DSTACK = """\
# What the commands expect of dstack, on this node of the gang.
export DSTACK_NODES_NUM="$SKYPILOT_NUM_NODES" DSTACK_NODE_RANK="$SKYPILOT_NODE_RANK"
export DSTACK_NODES_IPS="$SKYPILOT_NODE_IPS" DSTACK_MASTER_NODE_IP="$(head -n1 <<<"$SKYPILOT_NODE_IPS")"
export DSTACK_GPUS_PER_NODE="$SKYPILOT_NUM_GPUS_PER_NODE"
export DSTACK_GPUS_NUM="$((SKYPILOT_NUM_NODES * SKYPILOT_NUM_GPUS_PER_NODE))"
"""


def slurm_preamble(body: str, per_node: int) -> str:
    """The preamble for a batch script; empty if it asks nothing of Slurm."""
    return SLURM.format(per_node=per_node) if _SLURM.search(body) else ""


def dstack_preamble(body: str) -> str:
    """The preamble for the commands of a dstack task; empty if they ask nothing of dstack."""
    return DSTACK if _DSTACK.search(body) else ""
