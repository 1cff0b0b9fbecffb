# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of core/, one noun a line: noun -> test/core_noun_test.c with core_noun_suite().
sluice_test_folder(core
  SUITES
    addr
    arena
    array
    base
    clock
    drop
    epoch
    image
    io
    io_faults
    io_missing
    log
    mailbox
    random
    slab
    table
    timer
    trace
    watch
  THREADS clock epoch io io_faults io_missing mailbox watch
  SOURCES core_io_rig.c
  LIBS sluice_core)
