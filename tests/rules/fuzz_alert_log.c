/* Fuzz target: any bytes as the record of a rule's alerts, and as the file of all of them. What is
 * damaged is refused or left out; what is taken is written and read to the same. */
#include <stdint.h>

#include "base/assert.h"
#include "rules/alert_log.h"
#include "rules/alert_record.h"
#include "support/fs_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(slice bytes)
{
    struct alert_set s = {0}, again = {0};
    struct buf once = {0}, twice = {0};
    err e = alert_record_decode(bytes, &s);
    ASSERT(e == alert_record_decode(bytes, NULL));
    if (e == OK) {
        alert_record_encode(&s, &once);
        ASSERT(alert_record_decode(buf_slice(&once), &again) == OK && again.count == s.count);
        alert_record_encode(&again, &twice);
        ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
    }
    alert_set_fini(&s);
    alert_set_fini(&again);
    buf_fini(&once);
    buf_fini(&twice);
}

static size_t count_alerts(struct fs *fs)
{
    struct alert_log *l = NULL;
    struct diag d = {0};
    size_t count = 0;
    ASSERT(alert_log_open(fs, "/data", &l, &d) == OK);
    for (struct alert_set s = {0}; alert_log_unclaimed(l, &s); s = (struct alert_set){0}) {
        count += s.count;
        alert_set_fini(&s);
    }
    alert_log_close(l);
    return count;
}

static void check_file(slice bytes)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    ASSERT(fs_make_dir(fs, "/data") == OK);
    ASSERT(fs_write_file(fs, "/data/alerts", bytes) == OK);
    (void)count_alerts(fs);
    ASSERT(count_alerts(fs) == 0); /* each is told of once */
    fs_sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_record((slice){data, size});
    check_file((slice){data, size});
    return 0;
}
