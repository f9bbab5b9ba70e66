/* commands.h -- the subcommands of varve. Each returns the process' exit status: 0 fine, 1 failed,
 * 2 wrong arguments. argv starts behind the command's name. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_serve(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_alert(int argc, char **argv);
int cmd_slo(int argc, char **argv);
int cmd_tsdb(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_rules(int argc, char **argv);

/* "0.1.0" */
const char *varve_version(void);

#endif
