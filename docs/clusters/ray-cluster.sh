#!/bin/sh
# ray-cluster.sh SUITE STORE: a Ray of this machine with two processes, one run on it, and all of it stopped again.
set -eu
ray start --head --port 6379 --num-cpus 2 --include-dashboard=false
trap 'ray stop' EXIT
heatmark run "$1" --store "$2" --executor ray:127.0.0.1:6379
