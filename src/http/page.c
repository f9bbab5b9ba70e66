/* page.c -- see page.h. */
#include "http/page.h"

void page_begin(struct http_request *r, unsigned status, const char *title)
{
    struct buf *b = http_out(r);
    http_answer(r, status, "text/html; charset=utf-8");
    http_answer_header(r, "X-Robots-Tag", STR("noindex, nofollow"));
    http_answer_header(r, "Content-Security-Policy",
                       STR("default-src 'none'; base-uri 'none'; form-action 'self'; "
                           "frame-ancestors 'none'"));
    buf_reset(b);
    buf_printf(b,
               "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"robots\" content=\"noindex, nofollow\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n"
               "<title>%s</title>\n</head>\n<body>\n<h1>%s</h1>\n",
               title, title);
}

void page_end(struct http_request *r)
{
    buf_put_str(http_out(r), STR("</body>\n</html>\n"));
}
