/* zone.cc -- see zone.h. */
#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include <chrono>
#include <map>
#include <mutex>
#include <string>

/* Our headers are C: compound literals are an extension in C++. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
extern "C" {
#include "base/zone.h"
}
#pragma GCC diagnostic pop

struct zone {
    cctz::time_zone zone;
};

namespace
{

/* Leaf lock; a map never moves what it holds. Never destroyed: threads may outlive main(). */
struct zones {
    std::mutex lock;
    std::map<std::string, struct zone> known;
};

zones &all_zones()
{
    static auto *all = new zones;
    return *all;
}

/* Names are paths below the zoneinfo directory: nothing may lead out of it, nor be one of CCTZ's
 * own ("libc:", "file:"). */
bool is_name(const std::string &name)
{
    if (name.empty() || name[0] == '/' || name.size() > ZONE_NAME_SIZE_MAX)
        return false;
    for (char c : name)
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '/' &&
            c != '_' && c != '-' && c != '+')
            return false;
    return true;
}

} // namespace

err zone_find(str name, const struct zone **out, struct diag *d)
{
    std::string text(name.ptr != nullptr ? name.ptr : "", name.len);
    if (text.empty())
        text = "UTC";
    zones &all = all_zones();
    const std::lock_guard<std::mutex> hold(all.lock);
    auto known = all.known.find(text);
    if (known == all.known.end()) {
        struct zone z = {};
        if (text == "Local")
            z.zone = cctz::local_time_zone();
        else if (!is_name(text) || !cctz::load_time_zone(text, &z.zone))
            return diag_set(d, ERR_NOTFOUND,
                            "unknown time zone \"%.128s\" (names are those of "
                            "/usr/share/zoneinfo, package tzdata)",
                            text.c_str());
        known = all.known.emplace(text, z).first;
    }
    *out = &known->second;
    return OK;
}

int32_t zone_offset(const struct zone *z, int64_t ms, const char **abbreviation)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
    const cctz::time_point<cctz::seconds> at{cctz::seconds(seconds)};
    const cctz::time_zone::absolute_lookup found = z->zone.lookup(at);
    *abbreviation = found.abbr; /* in the zone's tables, which are never freed */
    return found.offset;
}

void zone_civil(const struct zone *z, int64_t ms, struct civil *out)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
    const cctz::time_point<cctz::seconds> at{cctz::seconds(seconds)};
    const cctz::civil_second c = cctz::convert(at, z->zone);
    out->year = c.year();
    out->month = c.month();
    out->day = c.day();
    out->hour = c.hour();
    out->minute = c.minute();
    out->second = c.second();
}

int64_t zone_instant_ms(const struct zone *z, const struct civil *c)
{
    const cctz::civil_second at(c->year, c->month, c->day, c->hour, c->minute, c->second);
    return static_cast<int64_t>(cctz::convert(at, z->zone).time_since_epoch().count()) * 1000;
}
