/* sd_cloud_aws.c -- aws_sd_configs and the older sections of one service each. A region that is
 * missing is no error: upstream asks the machine for it when the discovery starts. */
#include "config/sd_cloud.h"

enum { CONCURRENCY_DEFAULT = 10 };

#define AWS_COMMON                                                                                 \
    CLOUD_HTTP, CLOUD_REFRESH, CLOUD_PORT, CLOUD_TEXT("endpoint", server),                         \
        CLOUD_TEXT("region", region), CLOUD_TEXT("access_key", key),                               \
        CLOUD_SECRET("secret_key", secret), CLOUD_TEXT("profile", text),                           \
        CLOUD_TEXT("role_arn", text), CLOUD_TEXT("external_id", text)
#define AWS_CLUSTERS CLOUD_TEXTS("clusters", texts), CLOUD_NUMBER("request_concurrency", number)

static void aws_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->number = CONCURRENCY_DEFAULT;
}

static err ec2_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *a = s;
    const struct docker_filter *filters = a->filters.items;
    for (size_t i = 0; i < a->filters.count; i++)
        if (filters[i].values.count == 0)
            return decode_fail(c, n, "EC2 SD configuration filter values cannot be empty");
    return OK;
}

static err elasticache_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *a = s;
    if (a->number <= 0)
        return decode_fail(c, n, "elasticache_sd: request_concurrency must be positive, got %lld",
                           (long long)a->number);
    return OK;
}

static err aws_check(struct decode *c, const struct yaml *n, const void *s)
{
    static const char *const ROLES[] = {"ec2", "ecs", "elasticache", "lightsail", "msk", "rds"};
    const struct cloud_sd_config *a = s;
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(ROLES); i++)
        known = known || str_eq(a->role, str_from(ROLES[i]));
    if (!known)
        return decode_fail(c, n, "unknown AWS SD role \"" STR_FMT "\"", STR_ARG(a->role));
    return str_eq(a->role, STR("elasticache")) ? elasticache_check(c, n, s) : OK;
}

static const struct decode_field AWS_FIELDS[] = {AWS_COMMON, AWS_CLUSTERS, CLOUD_FILTERS,
                                                 CLOUD_TEXT("role", role)};
static const struct decode_field EC2_FIELDS[] = {AWS_COMMON, CLOUD_FILTERS};
static const struct decode_field ECS_FIELDS[] = {AWS_COMMON, AWS_CLUSTERS};
static const struct decode_field ELASTICACHE_FIELDS[] = {AWS_COMMON, AWS_CLUSTERS};
static const struct decode_field LIGHTSAIL_FIELDS[] = {AWS_COMMON};
static const struct decode_field MSK_FIELDS[] = {AWS_COMMON, AWS_CLUSTERS};
static const struct decode_field RDS_FIELDS[] = {AWS_COMMON, AWS_CLUSTERS, CLOUD_FILTERS};

CLOUD_SCHEMA(AWS, aws_defaults, aws_check, "aws.plain");
CLOUD_SCHEMA(EC2, aws_defaults, ec2_check, "aws.plain");
CLOUD_SCHEMA(ECS, aws_defaults, NULL, "aws.plain");
CLOUD_SCHEMA(ELASTICACHE, aws_defaults, elasticache_check, "aws.plain");
CLOUD_SCHEMA(LIGHTSAIL, aws_defaults, NULL, "aws.plain");
CLOUD_SCHEMA(MSK, aws_defaults, NULL, "aws.plain");
CLOUD_SCHEMA(RDS, aws_defaults, NULL, "aws.plain");
