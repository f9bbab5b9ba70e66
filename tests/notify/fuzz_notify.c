/* Fuzz target: what strangers say (labels, annotations, answers) on its way into JSON, mails and
 * diagnostics. The first byte chooses where. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jtree.h"
#include "base/utf8.h"
#include "notify/email_message.h"
#include "notify/sending.h"
#include "notify_sample.h"

#define SECRET "SECRETS"

static void require(bool good)
{
    if (!good)
        abort();
}

static struct notifiers *open_once(void)
{
    static struct notifiers *all;
    static struct alertmanager_file *f; /* both live as long as the program */
    static const char CONFIG[] = "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: "
                                 "[{url: 'http://h/'}]}]\n";
    const struct notifiers_options o = {.external_url = STR("http://x")};
    if (all == NULL) {
        require(alertmanager_config_parse("am.yml", str_bytes(str_from(CONFIG)), &f, NULL) == OK);
        require(notifiers_open(&o, f, &all, NULL) == OK);
    }
    return all;
}

/* Numbers beyond 64 bits and zero bytes are JSON, but not to the reader used here. */
static bool is_readable(str text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        digits = (text.ptr[i] >= '0' && text.ptr[i] <= '9') || text.ptr[i] == '_' ? digits + 1 : 0;
        if (text.ptr[i] == '\0' || digits > 15)
            return false;
    }
    return memchr(text.ptr, 'x', text.len) == NULL && memchr(text.ptr, 'e', text.len) == NULL &&
           memchr(text.ptr, 'E', text.len) == NULL && memchr(text.ptr, '\\', text.len) == NULL;
}

static void fuzz_value(struct sending *s, str text)
{
    struct buf out = {0};
    struct jtree *root = NULL;
    struct diag d = {.text = ""};
    buf_put_str(&out, STR("["));
    sending_put_rendered(s, "v", text, &out);
    buf_put_str(&out, STR("]"));
    require(utf8_valid(buf_str(&out)));
    if (s->failed == OK && is_readable(text))
        require(jtree_parse(buf_slice(&out), &root, &d) == OK && jtree_count(root) == 1);
    jtree_free(root);
    buf_fini(&out);
}

static void fuzz_shown(struct sending *s, str text)
{
    struct buf out = {0};
    sending_hide(s, STR(SECRET));
    sending_put_shown(s, text, &out);
    require(out.len <= SENDING_SHOWN_BYTES + 3 && utf8_valid(buf_str(&out)));
    require(out.len == 0 || memmem(out.ptr, out.len, SECRET, strlen(SECRET)) == NULL);
    for (size_t i = 0; i < out.len; i++)
        require(out.ptr[i] >= ' ');
    buf_fini(&out);
    str cut = sending_cut(s, text, 7);
    require(s->failed != OK || utf8_count(cut) <= 7);
}

static void check_lines(const struct buf *out, size_t line_max, bool folded)
{
    size_t start = 0;
    for (size_t i = 0; i < out->len; i++) {
        uint8_t c = out->ptr[i];
        require((c >= ' ' && c < 0x7f) || c == '\t' || c == '\r' || c == '\n');
        require(c != '\r' || (i + 1 < out->len && out->ptr[i + 1] == '\n'));
        if (c != '\n')
            continue;
        require(i > 0 && out->ptr[i - 1] == '\r' && i - start <= line_max + 1);
        start = i + 1;
        require(!folded || start == out->len || out->ptr[start] == ' ');
    }
    require(out->len - start <= line_max);
}

static void fuzz_mail(str text)
{
    struct arena a;
    struct texts addresses;
    struct buf out = {0};
    arena_init(&a, 1 << 20);
    if (email_addresses(text, &a, &addresses, NULL) == OK) {
        for (size_t i = 0; i < addresses.count; i++) {
            str s = addresses.items[i];
            for (size_t k = 0; k < s.len; k++)
                require((uint8_t)s.ptr[k] > ' ' && strchr("<>,\"", s.ptr[k]) == NULL);
        }
    }
    email_put_header(STR("S"), text, &out);
    require(out.len >= 2 && memcmp(out.ptr + out.len - 2, "\r\n", 2) == 0);
    check_lines(&out, EMAIL_LINE_BYTES_MAX + 3, true);
    buf_reset(&out);
    email_put_quoted(text, &out);
    check_lines(&out, 76, false);
    buf_fini(&out);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample sample;
    struct sending s;
    struct diag d = {.text = ""};
    if (size == 0)
        return 0;
    struct notifiers *all = open_once();
    str text = {(const char *)data + 1, size - 1};
    sample_init(&sample);
    sample.n.config = all->file->receivers.items[0].integrations[0].config;
    sending_begin(&s, all, &sample.n, &d);
    if (data[0] % 3 == 0)
        fuzz_value(&s, text);
    else if (data[0] % 3 == 1)
        fuzz_shown(&s, text);
    else
        fuzz_mail(text);
    (void)sending_end(&s, (struct notify_result){NOTIFY_SENT, 0});
    return 0;
}
