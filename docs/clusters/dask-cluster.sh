#!/bin/sh
# dask-cluster.sh SUITE STORE: a scheduler and two workers here, one run on them, and all of it stopped again.
set -eu
dask scheduler --host 127.0.0.1 --port 8786 &
scheduler=$!
trap 'kill $workers $scheduler' EXIT
workers=
sleep 2
dask worker tcp://127.0.0.1:8786 --nthreads 1 --nworkers 2 &
workers=$!
heatmark run "$1" --store "$2" --executor dask:tcp://127.0.0.1:8786
