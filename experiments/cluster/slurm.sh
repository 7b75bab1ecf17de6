#!/bin/bash
# A Ray cluster inside one Slurm job:   sbatch experiments/cluster/slurm.sh experiment.yaml
# When the job's time is over, submit the same line again: the run is continued.
# Every line that you must change says CHANGE.
#SBATCH --job-name=nas
#SBATCH --partition=gpu            # CHANGE: your partition
#SBATCH --account=my-account       # CHANGE: your account, or delete
#SBATCH --nodes=2                  # CHANGE: how many nodes
#SBATCH --gpus-per-node=4          # CHANGE: GPUs of a node
#SBATCH --cpus-per-task=32         # CHANGE: cores of a node
#SBATCH --ntasks-per-node=1
#SBATCH --time=24:00:00            # CHANGE: as long as you may
#SBATCH --signal=B:TERM@120        # time to end cleanly before Slurm kills
set -euo pipefail

experiment=${1:?give the experiment, such as experiments/default.yaml}
run=$HOME/runs/$(basename "${experiment%.*}")  # CHANGE: a folder that all nodes see
source "$HOME/venv/bin/activate"               # CHANGE: where encoder-nas is installed

# One token for this job, the same for the head, the workers and the driver.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=1

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
port=$((20000 + SLURM_JOB_ID % 20000))
address=$(srun --nodes=1 --ntasks=1 -w "$head" hostname --ip-address | awk '{print $1}'):$port

srun --nodes=1 --ntasks=1 -w "$head" \
  ray start --head --port="$port" --block --disable-usage-stats \
  --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$SLURM_GPUS_ON_NODE" &
sleep 20
for node in "${nodes[@]:1}"; do
  srun --nodes=1 --ntasks=1 -w "$node" \
    ray start --address="$address" --block --disable-usage-stats \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$SLURM_GPUS_ON_NODE" &
done
sleep 20

# "auto" and this variable: the address of a later job is another one.
export RAY_ADDRESS=$address
nas doctor --address auto --storage "$(dirname "$run")"
if [ -f "$run/run.db" ]; then
  nas resume "$run" &
else
  nas search "$experiment" --run "$run" --address auto &
fi
search=$!
# Slurm's warning stops the search at once; its trials continue from their checkpoints next time.
trap 'kill -TERM "$search"' TERM
wait "$search"
