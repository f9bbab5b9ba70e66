#include "ingest/scrape_failures.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/utf8.h"

/* A quoted string; a broken byte becomes U+FFFD. */
static void put_text(struct buf *b, str s)
{
    buf_put_u8(b, '"');
    for (unsigned size; s.len > 0; s = (str){s.ptr + size, s.len - size}) {
        uint32_t rune = utf8_decode(s, &size);
        if (rune == '"' || rune == '\\')
            buf_printf(b, "\\%c", (char)rune);
        else if (rune < 0x20)
            buf_printf(b, "\\u%04x", rune);
        else
            utf8_append(b, rune);
    }
    buf_put_u8(b, '"');
}

static void put_field(struct buf *b, const char *key, str value)
{
    buf_printf(b, ",\"%s\":", key);
    put_text(b, value);
}

void scrape_failure_log(str path, str job, str url, str reason, int64_t time_ms)
{
    struct buf line = {0}, name = {0};
    char time[40];
    buf_put_str(&line, STR("{\"time\":\""));
    buf_put(&line, time, timestamp_format_rfc3339(time_ms, time));
    buf_put_str(&line, STR("\",\"level\":\"ERROR\""));
    put_field(&line, "msg", reason);
    put_field(&line, "job_name", job);
    put_field(&line, "target", url);
    buf_put_str(&line, STR("}\n"));
    buf_put_str(&name, path);
    int fd = open(buf_cstr(&name), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line.ptr, line.len) != (ssize_t)line.len)
        log_warn("scrape failure log cannot be written", LOG_STR("file", path));
    if (fd >= 0)
        (void)close(fd);
    buf_fini(&line);
    buf_fini(&name);
}
