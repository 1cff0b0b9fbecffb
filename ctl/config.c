/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/config.c - what sluiced is told: built-in defaults, then a JSON file, then the command line.
 */
#include "ctl/config.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const engine_names[] = {"auto", "uring", "mmsg", NULL};
static const char *const placement_names[] = {"home", "spread", NULL};
static const char *const log_names[] = {"text", "json", NULL};
static const char *const level_names[] = {"none", "error", "warn", "info", "debug", NULL};
static const char *const key_names[] = {"socket",
                                        "workers",
                                        "placement",
                                        "io",
                                        "without",
                                        "slots",
                                        "retainSlots",
                                        "hugePages",
                                        "pin",
                                        "sockets",
                                        "transports",
                                        "producers",
                                        "consumers",
                                        "plannedPps",
                                        "portRange",
                                        "retention",
                                        "logLevel",
                                        "log",
                                        "metricsPort",
                                        "drainSeconds",
                                        "dtlsCertificateFile",
                                        "dtlsPrivateKeyFile",
                                        NULL};

static uint32_t processors_n(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : (uint32_t)min_i64(n, CONFIG_WORKERS_MAX);
}

void config_default(struct config *config)
{
    *config = (struct config){
        .workers_n = processors_n(),
        .engine = IO_ENGINE_AUTO,
        .slots_n = 16384, /* 32 MiB mapped a worker, touched as used */
        .sockets_max = 8192,
        .transports_max = 8192,
        .producers_max = 8192,
        .consumers_max = 16384,
        .planned_pps = 20000,
        .retain_rule = retain_rule_default,
        .log_level = LOG_LEVEL_INFO,
        .log_format = LOG_FORMAT_TEXT,
        .drain_seconds = 30,
    };
    memcpy(config->socket, CONFIG_SOCKET, sizeof(CONFIG_SOCKET));
}

bool config_parse_engine(const char *name, enum io_engine *engine)
{
    for (int i = 0; engine_names[i]; i++) {
        if (strcmp(engine_names[i], name) == 0) {
            *engine = (enum io_engine)i;
            return true;
        }
    }
    return false;
}

const char *config_engine_name(enum io_engine engine)
{
    return engine_names[engine];
}

static bool feature_find(const char *name, size_t bytes, uint32_t *bit)
{
    for (uint32_t i = 0; i < IO_FEATURES_N; i++) {
        const char *known = io_feature_name((enum io_feature)(1u << i));
        if (strlen(known) == bytes && memcmp(known, name, bytes) == 0) {
            *bit = 1u << i;
            return true;
        }
    }
    return false;
}

bool config_parse_without(const char *names, uint32_t *without, char bad[64])
{
    while (*names) {
        size_t bytes = strcspn(names, ",");
        uint32_t bit = 0;
        if (!feature_find(names, bytes, &bit)) {
            snprintf(bad, 64, "%.*s", (int)min_size(bytes, 60), names);
            return false;
        }
        *without |= bit;
        names += bytes;
        names += *names == ',';
    }
    return true;
}

static void read_u32(const struct fields *f, const char *key, int64_t min, int64_t max,
                     uint32_t *out)
{
    int64_t value = 0;
    if (fields_int(f, key, FIELD_OPTIONAL, min, max, &value))
        *out = (uint32_t)value;
}

static void read_u16(const struct fields *f, const char *key, int64_t min, uint16_t *out)
{
    int64_t value = 0;
    if (fields_int(f, key, FIELD_OPTIONAL, min, UINT16_MAX, &value))
        *out = (uint16_t)value;
}

static void read_without(const struct fields *f, struct config *config)
{
    struct fields list;
    if (!fields_array(f, "without", FIELD_OPTIONAL, IO_FEATURES_N, &list))
        return;
    for (size_t i = 0; i < fields_n(&list); i++) {
        const char *name = "";
        uint32_t bit = 0;
        if (!fields_item_string(&list, i, 1, 64, &name))
            return;
        if (!feature_find(name, strlen(name), &bit))
            fields_fail(f, "without", "a list of feature names, see sluiced --help");
        config->without |= bit;
    }
}

static void read_retention(const struct fields *f, struct retain_rule *rule)
{
    static const char *const names[] = {"k",         "marginMs",     "floorMs",
                                        "ceilingMs", "rttUnknownMs", NULL};
    struct fields r;
    if (!fields_object(f, "retention", FIELD_OPTIONAL, &r))
        return;
    fields_only(&r, names);
    const json_t *k = fields_peek(&r, "k");
    if (k && (!json_is_number(k) || json_number_value(k) < 0 || json_number_value(k) > 16))
        fields_fail(&r, "k", "a number from 0 to 16");
    else if (k)
        rule->k_q8 = (uint32_t)(json_number_value(k) * 256);

    uint32_t *const out[] = {&rule->margin_us, &rule->floor_us, &rule->ceiling_us,
                             &rule->rtt_unknown_us};
    for (size_t i = 0; i < ARRAY_N(out); i++) {
        int64_t ms = 0;
        if (fields_int(&r, names[i + 1], FIELD_OPTIONAL, 0, 10000, &ms))
            *out[i] = (uint32_t)ms * 1000;
    }
}

static void read_ports(const struct fields *f, struct config *config)
{
    static const char *const names[] = {"min", "max", NULL};
    struct fields range;
    if (!fields_object(f, "portRange", FIELD_OPTIONAL, &range))
        return;
    fields_only(&range, names);
    read_u16(&range, "min", 1, &config->port_min);
    read_u16(&range, "max", 1, &config->port_max);
    if (config->port_min == 0 || config->port_max < config->port_min)
        fields_fail(&range, "max", "min and max, in this order");
}

static void read_path(const struct fields *f, const char *key, char out[CONFIG_FILE_PATH_BYTES])
{
    const char *path = NULL;
    if (fields_string(f, key, FIELD_OPTIONAL, 0, CONFIG_FILE_PATH_BYTES - 1, &path))
        memcpy(out, path, strlen(path) + 1);
}

static void read_names(const struct fields *f, struct config *config)
{
    const char *path = NULL;
    if (fields_string(f, "socket", FIELD_OPTIONAL, 1, CONFIG_PATH_BYTES - 1, &path)) {
        memcpy(config->socket, path, strlen(path) + 1);
        config->socket_given = true;
    }
    int choice = (int)config->placement;
    fields_enum(f, "placement", FIELD_OPTIONAL, placement_names, &choice);
    config->placement = (enum placement_policy)choice;
    choice = (int)config->engine;
    fields_enum(f, "io", FIELD_OPTIONAL, engine_names, &choice);
    config->engine = (enum io_engine)choice;
    choice = (int)config->log_format;
    fields_enum(f, "log", FIELD_OPTIONAL, log_names, &choice);
    config->log_format = (enum log_format)choice;
    choice = (int)config->log_level;
    fields_enum(f, "logLevel", FIELD_OPTIONAL, level_names, &choice);
    config->log_level = (enum log_level)choice;
}

bool config_read(struct config *config, const json_t *value, struct field_error *err)
{
    struct fields f;
    fields_begin(&f, value, "", err);
    fields_only(&f, key_names);
    read_names(&f, config);
    read_u32(&f, "workers", 1, CONFIG_WORKERS_MAX, &config->workers_n);
    read_without(&f, config);
    read_u32(&f, "slots", 256, SLAB_SLOTS_MAX, &config->slots_n);
    read_u32(&f, "retainSlots", 0, SLAB_SLOTS_MAX, &config->retain_slots_n);
    fields_bool(&f, "hugePages", FIELD_OPTIONAL, &config->huge_pages);
    fields_bool(&f, "pin", FIELD_OPTIONAL, &config->pin);
    read_u32(&f, "sockets", 1, IO_SOCKETS_MAX, &config->sockets_max);
    read_u32(&f, "transports", 1, 65536, &config->transports_max);
    read_u32(&f, "producers", 1, 65536, &config->producers_max);
    read_u32(&f, "consumers", 1, 1 << 20, &config->consumers_max);
    read_u32(&f, "plannedPps", 100, 10000000, &config->planned_pps);
    read_ports(&f, config);
    read_retention(&f, &config->retain_rule);
    read_u16(&f, "metricsPort", 0, &config->metrics_port);
    read_u32(&f, "drainSeconds", 0, 86400, &config->drain_seconds);
    read_path(&f, "dtlsCertificateFile", config->certificate_path);
    read_path(&f, "dtlsPrivateKeyFile", config->key_path);
    return fields_ok(&f);
}

int config_parse(struct config *config, const char *text, size_t bytes, const char *name,
                 char why[CONFIG_ERROR_BYTES])
{
    json_error_t syntax;
    json_t *value = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &syntax);
    if (!value) {
        snprintf(why, CONFIG_ERROR_BYTES, "%s, line %d: %s", name, syntax.line, syntax.text);
        return -EINVAL;
    }
    struct field_error err;
    char sentence[FIELD_SENTENCE_BYTES];
    field_error_clear(&err);
    bool right = config_read(config, value, &err);
    json_decref(value);
    if (!right)
        snprintf(why, CONFIG_ERROR_BYTES, "%s: %s", name, field_error_sentence(&err, sentence));
    return right ? 0 : -EINVAL;
}

int config_load(struct config *config, const char *path, char why[CONFIG_ERROR_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file) {
        int error = errno;
        snprintf(why, CONFIG_ERROR_BYTES, "%s: %s", path, strerror(error));
        return -error;
    }
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
    size_t bytes = text ? fread(text, 1, CONFIG_FILE_BYTES_MAX + 1, file) : 0;
    int failed = !text || ferror(file) ? EIO : bytes > CONFIG_FILE_BYTES_MAX ? EFBIG : 0;
    fclose(file);
    if (failed) {
        free(text);
        snprintf(why, CONFIG_ERROR_BYTES, "%s: %s", path, strerror(failed));
        return -failed;
    }
    failed = config_parse(config, text, bytes, path, why);
    free(text);
    return failed;
}

bool config_check(struct config *config, char why[CONFIG_ERROR_BYTES])
{
    if (config->retain_slots_n == 0)
        config->retain_slots_n = config->slots_n / 4 * 3;
    if (config->retain_slots_n > config->slots_n) {
        snprintf(why, CONFIG_ERROR_BYTES, "retainSlots (%u) must not be more than slots (%u)",
                 config->retain_slots_n, config->slots_n);
        return false;
    }
    if (config->retain_rule.floor_us > config->retain_rule.ceiling_us) {
        snprintf(why, CONFIG_ERROR_BYTES, "retention.floorMs must not be more than ceilingMs");
        return false;
    }
    if (!config->certificate_path[0] != !config->key_path[0]) {
        snprintf(why, CONFIG_ERROR_BYTES,
                 "dtlsCertificateFile and dtlsPrivateKeyFile must be given together");
        return false;
    }
    if (config->pin && config->workers_n > processors_n()) {
        snprintf(why, CONFIG_ERROR_BYTES, "pin: %u workers but %u processors", config->workers_n,
                 processors_n());
        return false;
    }
    return true;
}

static json_t *without_json(uint32_t without)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < IO_FEATURES_N; i++) {
        if (without >> i & 1)
            json_array_append_new(list, json_string(io_feature_name((enum io_feature)(1u << i))));
    }
    return list;
}

json_t *config_json(const struct config *config)
{
    const struct retain_rule *rule = &config->retain_rule;
    json_t *value =
        json_pack("{s:s, s:I, s:s, s:s, s:o, s:I, s:I, s:b, s:b, s:I, s:I, s:I, s:I, s:I}",
                  "socket", config->socket, "workers", (json_int_t)config->workers_n, "placement",
                  placement_names[config->placement], "io", engine_names[config->engine], "without",
                  without_json(config->without), "slots", (json_int_t)config->slots_n,
                  "retainSlots", (json_int_t)config->retain_slots_n, "hugePages",
                  (int)config->huge_pages, "pin", (int)config->pin, "sockets",
                  (json_int_t)config->sockets_max, "transports", (json_int_t)config->transports_max,
                  "producers", (json_int_t)config->producers_max, "consumers",
                  (json_int_t)config->consumers_max, "plannedPps", (json_int_t)config->planned_pps);
    json_object_set_new(
        value, "retention",
        json_pack("{s:f, s:i, s:i, s:i, s:i}", "k", rule->k_q8 / 256.0, "marginMs",
                  (int)rule->margin_us / 1000, "floorMs", (int)rule->floor_us / 1000, "ceilingMs",
                  (int)rule->ceiling_us / 1000, "rttUnknownMs", (int)rule->rtt_unknown_us / 1000));
    if (config->port_min != 0)
        json_object_set_new(
            value, "portRange",
            json_pack("{s:i, s:i}", "min", (int)config->port_min, "max", (int)config->port_max));
    json_object_set_new(value, "logLevel", json_string(log_level_name(config->log_level)));
    json_object_set_new(value, "log", json_string(log_names[config->log_format]));
    json_object_set_new(value, "metricsPort", json_integer(config->metrics_port));
    json_object_set_new(value, "drainSeconds", json_integer(config->drain_seconds));
    json_object_set_new(value, "dtlsCertificateFile", json_string(config->certificate_path));
    json_object_set_new(value, "dtlsPrivateKeyFile", json_string(config->key_path));
    return value;
}
