/* check_web.h -- varve check web-config and token-file: what the server would say of these files.
 */
#ifndef CLI_CHECK_WEB_H
#define CLI_CHECK_WEB_H

/* Judge the files in argv, certificates and keys they name included, as promtool check web-config
 * does: a line for each to stderr; the exit status (2: no file). */
int check_web_config(int argc, char **argv);
/* The same for files of --web.token-file. */
int check_token_file(int argc, char **argv);

#endif
