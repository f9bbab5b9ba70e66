/* regex.cc -- see regex.h: the C interface of RE2.
 *
 * Expressions that are lists of literals, pieces with ".*" between them or short sequences of
 * classes are matched without RE2, and when they capture nothing not even compiled. */
#include <re2/re2.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

/* Our headers are C: compound literals are an extension in C++. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
extern "C" {
#include "base/arena.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/regex.h"
#include "base/regex_priv.h"
#include "base/utf8.h"
}
#pragma GCC diagnostic pop

using re2::RE2;
using re2::StringPiece;

struct regex {
    struct arena arena; /* holds what `facts` points to */
    struct regex_facts facts;
    RE2 *re;           /* NULL when `facts` tell all */
    bool sees_repairs; /* may it match a U+FFFD that stands for an invalid byte? */
};

/* An escape that no syntax knows. */
static const char UNKNOWN_ESCAPE[] = "\\y";

static str make_str(const char *ptr, size_t len)
{
    str s;
    s.ptr = ptr;
    s.len = len;
    return s;
}

static str str_of(const StringPiece &s)
{
    return make_str(s.data(), s.size());
}

/* An empty str may have no address, which memmem() and RE2 do not expect. */
static str with_address(str s)
{
    return s.ptr != nullptr ? s : make_str("", 0);
}

static StringPiece piece_of(str s)
{
    return StringPiece(s.ptr, s.len);
}

/* Go's words for RE2's codes. */
static const char *go_words(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape:
        return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
        return "invalid character class";
    case RE2::ErrorBadCharRange:
        return "invalid character class range";
    case RE2::ErrorMissingBracket:
        return "missing closing ]";
    case RE2::ErrorMissingParen:
        return "missing closing )";
    case RE2::ErrorUnexpectedParen:
        return "unexpected )";
    case RE2::ErrorTrailingBackslash:
        return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
        return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
        return "invalid repeat count";
    case RE2::ErrorRepeatOp:
        return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
        return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
        return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
    case RE2::ErrorInternal:
    case RE2::NoError:
        break;
    }
    return "internal error";
}

static err fail(struct diag *d, const char *words, const std::string &where)
{
    return diag_set(d, ERR_INVALID, "error parsing regexp: %s: `%.*s`", words,
                    static_cast<int>(where.size()), where.data());
}

/* The repetition at the end of `arg` ("*{1001}?") when its count is one that Go refuses at sight:
 * above 1000 or from more to less; else "". */
static std::string bad_count(const std::string &arg)
{
    size_t from = arg.rfind('{'), to = arg.rfind('}');
    if (from == std::string::npos || to == std::string::npos || to < from)
        return "";
    long least = 0, most = 0;
    int n = sscanf(arg.c_str() + from, "{%9ld,%9ld}", &least, &most);
    bool bad = n >= 1 && (least > 1000 || (n == 2 && (most > 1000 || most < least)));
    return bad ? arg.substr(from, to - from + 1) : "";
}

static err fail_re2(const RE2 &re, str expr, struct diag *d)
{
    const std::string &arg = re.error_arg();
    const char *words = go_words(re.error_code());
    switch (re.error_code()) {
    case RE2::ErrorPatternTooLarge:
        return diag_set(d, ERR_LIMIT,
                        "error parsing regexp: expression too large: its program would exceed %d "
                        "bytes",
                        static_cast<int>(REGEX_PROGRAM_BYTES_MAX));
    case RE2::ErrorMissingParen:
    case RE2::ErrorUnexpectedParen: /* here Go shows the whole expression */
        return fail(d, words, std::string(expr.ptr, expr.len));
    case RE2::ErrorRepeatSize:
    case RE2::ErrorRepeatOp:
        if (!bad_count(arg).empty())
            return fail(d, go_words(RE2::ErrorRepeatSize), bad_count(arg));
        return fail(d, words, arg);
    case RE2::ErrorBadEscape: /* translate() made it of "\C" */
        return fail(d, words, arg == UNKNOWN_ESCAPE ? "\\C" : arg);
    case RE2::ErrorBadNamedCapture: /* translate() added the P */
        if (arg.size() > 3 && memmem(expr.ptr, expr.len, "(?P<", 4) == nullptr)
            return fail(d, words, "(?<" + arg.substr(4));
        return fail(d, words, arg);
    case RE2::ErrorBadCharClass:
    case RE2::ErrorBadCharRange:
    case RE2::ErrorMissingBracket:
    case RE2::ErrorTrailingBackslash:
    case RE2::ErrorRepeatArgument:
    case RE2::ErrorBadPerlOp:
    case RE2::ErrorBadUTF8:
    case RE2::ErrorInternal:
    case RE2::NoError:
        break;
    }
    return fail(d, words, arg);
}

/* Skip a class "[...]" that starts at `i`; returns the index behind it. */
static size_t skip_class(const std::string &s, size_t i)
{
    i++;
    if (i < s.size() && s[i] == '^')
        i++;
    if (i < s.size() && s[i] == ']')
        i++; /* a bracket in front is a member */
    while (i < s.size() && s[i] != ']') {
        size_t end = s.compare(i, 2, "[:") == 0 ? s.find(":]", i + 2) : std::string::npos;
        if (end != std::string::npos)
            i = end + 2;
        else
            i += s[i] == '\\' ? 2u : 1u;
    }
    return i + 1;
}

/* Go's syntax to that of this RE2: "(?<name>" becomes "(?P<name>"; "\C", which would match a
 * byte, becomes an escape that is refused. */
static void translate(std::string *s)
{
    size_t i = 0;
    while (i < s->size()) {
        char c = (*s)[i];
        if (c == '[') {
            i = skip_class(*s, i);
        } else if (c == '\\' && s->compare(i, 2, "\\C") == 0) {
            s->replace(i, 2, UNKNOWN_ESCAPE);
            i += 2;
        } else if (c == '\\' && s->compare(i, 2, "\\Q") == 0) {
            size_t end = s->find("\\E", i + 2);
            i = end == std::string::npos ? s->size() : end + 2;
        } else if (c == '\\') {
            i += 2;
        } else if (c == '(' && s->compare(i, 3, "(?<") == 0) {
            s->insert(i + 2, "P");
            i += 4;
        } else {
            i++;
        }
    }
}

static err compile_re2(str expr, bool dot_nl, RE2 **out, struct diag *d)
{
    RE2::Options options(RE2::Quiet);
    options.set_dot_nl(dot_nl);
    options.set_max_mem(REGEX_PROGRAM_BYTES_MAX);
    std::string text(expr.ptr, expr.len);
    translate(&text);
    RE2 *re = new RE2(text, options);
    if (!re->ok()) {
        err e = fail_re2(*re, expr, d);
        delete re;
        return e;
    }
    *out = re;
    return OK;
}

extern "C" err regex_compile(str expr, struct regex **out, struct diag *d)
{
    expr = with_address(expr);
    if (!utf8_valid(expr))
        return fail(d, "invalid UTF-8", std::string(expr.ptr, expr.len));
    struct regex *re = new struct regex();
    arena_init(&re->arena, REGEX_LITERAL_BYTES_MAX);
    str own = arena_str(&re->arena, expr);
    if (own.ptr != nullptr)
        regex_scan(own, &re->arena, &re->facts);
    else
        re->facts.has_group = true;
    bool told = re->facts.literals != nullptr || re->facts.is_glob || re->facts.shift != nullptr;
    bool known = told && !re->facts.has_group;
    err e = known ? OK : compile_re2(expr, true, &re->re, d);
    if (e != OK) {
        regex_close(re);
        return e;
    }
    re->sees_repairs = !told || re->facts.shift != nullptr ||
                       memmem(expr.ptr, expr.len, "\xef\xbf\xbd", 3) != nullptr;
    *out = re;
    return OK;
}

extern "C" void regex_close(struct regex *re)
{
    if (re == nullptr)
        return;
    delete re->re;
    arena_fini(&re->arena);
    delete re;
}

static bool literals_match(const struct regex_facts *f, str s)
{
    size_t lo = 0, hi = f->literal_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(f->literals[mid], s);
        if (c == 0)
            return true;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* Each invalid byte replaced by U+FFFD: what Go's regexp sees. */
static std::string repaired(str s)
{
    struct buf b = {};
    while (s.len > 0) {
        unsigned size;
        utf8_append(&b, utf8_decode(s, &size));
        s = make_str(s.ptr + size, s.len - size);
    }
    std::string text(reinterpret_cast<const char *>(b.ptr), b.len);
    buf_fini(&b);
    return text;
}

static bool match(const struct regex *re, str s)
{
    if (re->facts.literals != nullptr)
        return literals_match(&re->facts, s);
    if (re->facts.is_glob)
        return regex_glob_match(&re->facts.glob, s);
    if (re->facts.shift != nullptr)
        return regex_shift_match(re->facts.shift, s);
    return str_starts(s, re->facts.prefix) &&
           re->re->Match(piece_of(s), 0, s.len, RE2::ANCHOR_BOTH, nullptr, 0);
}

extern "C" bool regex_match(const struct regex *re, str s)
{
    s = with_address(s);
    if (match(re, s))
        return true;
    if (!re->sees_repairs || utf8_valid(s))
        return false;
    std::string text = repaired(s);
    return match(re, make_str(text.data(), text.size()));
}

extern "C" size_t regex_literals(const struct regex *re, const str **out)
{
    *out = re->facts.literals;
    return re->facts.literals != nullptr ? re->facts.literal_count : 0;
}

extern "C" str regex_prefix(const struct regex *re)
{
    return re->facts.prefix.ptr != nullptr ? re->facts.prefix : make_str("", 0);
}

extern "C" enum regex_breadth regex_breadth(const struct regex *re)
{
    const struct regex_glob *g = &re->facts.glob;
    if (!re->facts.is_glob || g->count != 2 || g->parts[0].len > 0 || g->parts[1].len > 0)
        return REGEX_MATCHES_SOME;
    return g->gap_min[1] > 0 ? REGEX_MATCHES_NONEMPTY : REGEX_MATCHES_ALL;
}

extern "C" bool regex_is_slow(const struct regex *re)
{
    return re->facts.literals == nullptr && !re->facts.is_glob && re->facts.shift == nullptr;
}

extern "C" size_t regex_name_size(str s)
{
    static const RE2 name("[\\pL\\p{Nd}_]+");
    StringPiece found;
    if (!name.Match(piece_of(s), 0, s.len, RE2::ANCHOR_START, &found, 1))
        return 0;
    return found.size();
}

/* The group a template's name means; -1 when there is none. Numbers have no leading zero. Of
 * several groups with one name the first that took part in the match counts. */
static int find_group(const RE2 &re, const StringPiece *groups, int group_count, str name)
{
    int number = 0;
    bool is_number = name.ptr[0] != '0' || name.len == 1;
    for (size_t i = 0; i < name.len && is_number; i++) {
        is_number = name.ptr[i] >= '0' && name.ptr[i] <= '9' && number < 100000000;
        number = is_number ? number * 10 + (name.ptr[i] - '0') : number;
    }
    if (is_number)
        return number < group_count ? number : -1;
    for (const auto &group : re.CapturingGroupNames())
        if (group.second == piece_of(name) && groups[group.first].data() != nullptr)
            return group.first;
    return -1;
}

/* The name behind a '$', with or without braces, off the front of `t`. False: the '$' is text. */
static bool take_name(str *t, str *name)
{
    bool brace = t->len > 0 && t->ptr[0] == '{';
    str s = make_str(t->ptr + brace, t->len - brace);
    *name = make_str(s.ptr, regex_name_size(s));
    if (name->len == 0)
        return false;
    size_t used = name->len + brace;
    if (brace && (s.len <= name->len || s.ptr[name->len] != '}'))
        return false;
    used += brace;
    *t = make_str(t->ptr + used, t->len - used);
    return true;
}

/* Append the template with its groups filled in. */
static void expand(const RE2 &re, const StringPiece *groups, int group_count, str t,
                   struct buf *out)
{
    while (t.len > 0) {
        const void *at = memchr(t.ptr, '$', t.len);
        size_t plain =
            at != nullptr ? static_cast<size_t>(static_cast<const char *>(at) - t.ptr) : t.len;
        buf_put(out, t.ptr, plain);
        if (plain == t.len)
            return;
        t = make_str(t.ptr + plain + 1, t.len - plain - 1);
        str name;
        if (t.len > 0 && t.ptr[0] == '$') {
            buf_put_u8(out, '$');
            t = make_str(t.ptr + 1, t.len - 1);
        } else if (take_name(&t, &name)) {
            int group = find_group(re, groups, group_count, name);
            if (group >= 0)
                buf_put_str(out, str_of(groups[group]));
        } else {
            buf_put_u8(out, '$');
        }
    }
}

extern "C" bool regex_expand(const struct regex *re, str s, str replacement, struct buf *out)
{
    static const RE2 no_groups("");
    s = with_address(s);
    if (re->re == nullptr) {
        StringPiece whole = piece_of(s);
        if (!regex_match(re, s))
            return false;
        expand(no_groups, &whole, 1, replacement, out);
        return true;
    }
    int count = re->re->NumberOfCapturingGroups() + 1;
    StringPiece few[16];
    StringPiece *groups = count > 16 ? new StringPiece[static_cast<size_t>(count)] : few;
    std::string text;
    bool matched = re->re->Match(piece_of(s), 0, s.len, RE2::ANCHOR_BOTH, groups, count);
    if (!matched && !utf8_valid(s)) {
        text = repaired(s);
        matched = re->re->Match(text, 0, text.size(), RE2::ANCHOR_BOTH, groups, count);
    }
    if (matched)
        expand(*re->re, groups, count, replacement, out);
    if (groups != few)
        delete[] groups;
    return matched;
}

extern "C" bool regex_has_group(const struct regex *re, str name)
{
    if (re->re == nullptr)
        return false;
    const auto &names = re->re->NamedCapturingGroups();
    return names.find(std::string(name.ptr, name.len)) != names.end();
}

struct regex_search {
    RE2 *re;
};

extern "C" err regex_search_compile(str expr, struct regex_search **out, struct diag *d)
{
    expr = with_address(expr);
    if (!utf8_valid(expr))
        return fail(d, "invalid UTF-8", std::string(expr.ptr, expr.len));
    RE2 *re = nullptr;
    TRY(compile_re2(expr, false, &re, d));
    *out = new struct regex_search();
    (*out)->re = re;
    return OK;
}

extern "C" void regex_search_close(struct regex_search *re)
{
    if (re == nullptr)
        return;
    delete re->re;
    delete re;
}

extern "C" bool regex_search_match(const struct regex_search *re, str s)
{
    s = with_address(s);
    return re->re->Match(piece_of(s), 0, s.len, RE2::UNANCHORED, nullptr, 0);
}

/* Bytes of the character at `pos`; 1 at the end. */
static size_t step_over(str s, size_t pos)
{
    unsigned size = 1;
    if (pos < s.len)
        (void)utf8_decode(make_str(s.ptr + pos, s.len - pos), &size);
    return size;
}

/* Matches from left to right. An empty one right behind another match is passed over. */
static err replace_all(const RE2 &re, StringPiece *groups, int count, str s, str replacement,
                       size_t end_max, struct buf *out)
{
    size_t copied = 0, pos = 0; /* `copied`: where the last match ended */
    while (pos <= s.len && re.Match(piece_of(s), pos, s.len, RE2::UNANCHORED, groups, count)) {
        size_t from = static_cast<size_t>(groups[0].data() - s.ptr);
        size_t to = from + groups[0].size();
        buf_put(out, s.ptr + copied, from - copied);
        if (to > copied || from == 0)
            expand(re, groups, count, replacement, out);
        if (out->len > end_max)
            return ERR_LIMIT;
        copied = to;
        pos = to > pos ? to : pos + step_over(s, pos);
    }
    if (s.len - copied > end_max - out->len)
        return ERR_LIMIT;
    buf_put(out, s.ptr + copied, s.len - copied);
    return OK;
}

extern "C" err regex_search_replace(const struct regex_search *re, str s, str replacement,
                                    size_t bytes_max, struct buf *out)
{
    s = with_address(s);
    int count = re->re->NumberOfCapturingGroups() + 1;
    StringPiece *groups = new StringPiece[static_cast<size_t>(count)];
    size_t end_max = out->len + bytes_max;
    if (bytes_max < s.len)
        end_max = out->len + s.len;
    err e = replace_all(*re->re, groups, count, s, replacement, end_max, out);
    delete[] groups;
    return e;
}
