/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/main.c - sluice-perf: measures a relay. */
#include "perf/churn.h"
#include "perf/egress.h"
#include "perf/fanout.h"
#include "perf/micro.h"
#include "perf/overview.h"
#include "perf/saturate.h"
#include "perf/storm.h"

int main(int argc, char **argv)
{
    struct options options;
    if (argc > 1 && strcmp(argv[1], "report") == 0)
        return overview_main(argc - 1, argv + 1);
    int status = options_parse(&options, argc, argv);
    if (status != OPTIONS_RUN)
        return status;
    if (strcmp(options.scenario, "micro") == 0)
        return micro_run(&options);
    if (strcmp(options.scenario, "limit") == 0)
        return fanout_run_limit(&options);
    if (strcmp(options.scenario, "egress") == 0)
        return egress_run_all(&options);
    if (strcmp(options.scenario, "storm") == 0)
        return storm_run(&options);
    if (strcmp(options.scenario, "churn") == 0)
        return churn_run(&options);
    if (strcmp(options.scenario, "saturate") == 0)
        return saturate_run(&options);
    return fanout_run(&options); /* fanout, room, broadcast */
}
