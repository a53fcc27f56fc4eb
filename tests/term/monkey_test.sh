#!/bin/bash
# Random keys for ten minutes, and every size in every view: part of check-long, meant for a build with --enable-sanitizers.
# SECATEUR_MONKEY_SEED names the seed; it is printed.
set -eu
export SECATEUR_MONKEY_SECONDS=${SECATEUR_MONKEY_SECONDS:-600} SECATEUR_MONKEY_SEED=${SECATEUR_MONKEY_SEED:-$RANDOM}
echo "seed $SECATEUR_MONKEY_SEED"
SECATEUR_TEST='test_random_keys' tests/conduct_test
SECATEUR_SIZES=all SECATEUR_TEST='test_every_size_in_every_view' tests/conduct_test
