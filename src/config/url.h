/* url.h -- is a text a URL? Judged as Go's net/url judges, since that is what accepts or refuses
 * the files of Prometheus and Alertmanager. */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include "base/slice.h"

enum { URL_FAULT_SIZE = 96 };

/* What is wrong with `url`, in `text` (URL_FAULT_SIZE bytes), or NULL. The text quotes at most a
 * few characters of the URL, never a password. Relative URLs and "" are fine. */
const char *url_fault(str url, char *text);

/* The host of an absolute URL with its port, "" when it has none. Requires url_fault() == NULL. */
str url_host(str url);

#endif
