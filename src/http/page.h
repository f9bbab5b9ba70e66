/* page.h -- small pages for people: HTML without scripts, that nothing may be loaded into. */
#ifndef HTTP_PAGE_H
#define HTTP_PAGE_H

#include "http/server.h"

/* Begin the answer with a title, which is plain text of the program's own; what follows goes to
 * http_out(), by html_put() where it comes from elsewhere. */
void page_begin(struct http_request *r, unsigned status, const char *title);
void page_end(struct http_request *r);

#endif
