/* check_alertmanager.h -- "varve check alertmanager" and "varve alert routes": alertmanager.yml as
 * amtool checks and shows it. */
#ifndef CLI_CHECK_ALERTMANAGER_H
#define CLI_CHECK_ALERTMANAGER_H

#include <stdbool.h>

/* Check files, or the standard input when there are none; with `routes` show the routing tree of
 * each, with `extensions` (not "") check that file against each. Returns the exit status: 0 all are
 * valid, 1 not. */
int check_alertmanager_files(char *const *paths, int count, bool routes, const char *extensions);

/* The routing tree of one file. */
int alert_routes_show(const char *path);

/* Which receivers an alert with these labels ("name=value") is for; `tree`: by which routes;
 * `verify`: the receivers that are expected, with commas between, or "". */
int alert_routes_test(const char *path, char *const *labels, int count, bool tree,
                      const char *verify);

#endif
