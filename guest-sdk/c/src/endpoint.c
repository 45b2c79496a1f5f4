/**
 * An address that somebody typed, as the absolute URL that goes on the wire: lower-case scheme and
 * host, no default port, no dot segments, no fragment, ASCII only.
 *
 * The rules are the WHATWG URL Standard's for `http` and `https`, with what they would only guess
 * at refused: credentials, numbers written as an IPv4 address in another base, and Unix sockets. A
 * host beyond ASCII is to be written in A-labels.
 */

#include <string.h>

#include "internal.h"

/** A part of a text. */
typedef struct {
    const char *at;
    size_t size;
} slice;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/** The text without blanks around it, and without tabs and line ends within. */
static const char *stripped(const char *text)
{
    sb_buffer kept = {0};
    while (*text != '\0' && (unsigned char)*text <= ' ') {
        text += 1;
    }
    for (; *text != '\0'; text++) {
        if (strchr("\t\n\r", *text) == NULL) {
            sb_add_byte(&kept, *text);
        }
    }
    while (kept.size > 0 && (unsigned char)kept.data[kept.size - 1] <= ' ') {
        kept.size -= 1;
    }
    return sb_taken(&kept);
}

/** Four decimal numbers up to 255. */
static bool is_ipv4(const char *host)
{
    for (int i = 0; i < 4; i++) {
        int number = 0;
        const char *begin = host;
        for (; sb_is_digit(*host) && host - begin < 3; host++) {
            number = number * 10 + (*host - '0');
        }
        const bool leading_zero = *begin == '0' && host - begin > 1;
        if (host == begin || number > 255 || leading_zero || *host != (i < 3 ? '.' : '\0')) {
            return false;
        }
        host += i < 3 ? 1 : 0;
    }
    return true;
}

/** Whether the lower-case host is one: a name, or an address. */
static bool is_host(const char *host)
{
    const size_t size = strlen(host);
    if (host[0] == '[') {
        const size_t address = strspn(host + 1, "0123456789abcdef:.");
        return address > 1 && address + 2 == size && host[size - 1] == ']';
    }
    const char *name = size > 1 && host[size - 1] == '.' ? sb_copy(host, size - 1) : host;
    const char *last = strrchr(name, '.');
    /* A last label that begins with a digit is an address's. */
    const bool numeric = sb_is_digit(last == NULL ? name[0] : last[1]);
    return sb_is_name(name) && (!numeric || is_ipv4(name));
}

/** The lower-case host, or NULL and why not. */
static const char *host_of(slice typed, const char **why)
{
    char *host = sb_copy(typed.at, typed.size);
    for (char *c = host; *c != '\0'; c++) {
        *c = lower(*c);
    }
    if (sb_same(host, "unix") || !is_host(host)) {
        *why = sb_same(host, "unix") ? "must not name a Unix socket" : "has an invalid host";
        return NULL;
    }
    return host;
}

/** Adds host and port; false and why where they are none. */
static bool add_authority(sb_buffer *url, slice typed, int default_port, const char **why)
{
    if (memchr(typed.at, '@', typed.size) != NULL) {
        *why = "must not contain a user or password";
        return false;
    }
    slice host = typed;
    while (host.size > 0 && host.at[host.size - 1] != ':' && host.at[host.size - 1] != ']') {
        host.size -= 1;
    }
    const bool has_port = host.size > 0 && host.at[host.size - 1] == ':';
    const size_t port_at = has_port ? host.size : typed.size;
    host.size = has_port ? host.size - 1 : typed.size;

    int port = 0;
    for (size_t i = port_at; i < typed.size; i++) {
        port = sb_is_digit(typed.at[i]) ? port * 10 + (typed.at[i] - '0') : 65536;
        if (port > 65535) {
            *why = "has an invalid port";
            return false;
        }
    }
    const char *name = host_of(host, why);
    if (name == NULL) {
        return false;
    }
    sb_add_text(url, name);
    if (port_at < typed.size && port != default_port) {
        sb_add_byte(url, ':');
        sb_add_text(url, sb_decimal(port));
    }
    return true;
}

/** Adds the text with blanks, control characters, non-ASCII and `reserved` percent-encoded. */
static void add_encoded(sb_buffer *url, slice text, const char *reserved)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.at[i];
        if (c > ' ' && c < 0x7F && strchr(reserved, c) == NULL) {
            sb_add_byte(url, (char)c);
        } else {
            const char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
            sb_add(url, escape, 3);
        }
    }
}

/** How many dots a segment is, `%2e` being one; 0 for any other segment. */
static int dots(slice segment)
{
    int count = 0;
    for (size_t i = 0; i < segment.size; count++) {
        if (segment.at[i] == '.') {
            i += 1;
        } else if (segment.size - i >= 3 && segment.at[i] == '%' && segment.at[i + 1] == '2' &&
                   lower(segment.at[i + 2]) == 'e') {
            i += 3;
        } else {
            return 0;
        }
    }
    return count;
}

/** Adds the path without its dot segments. */
static void add_path(sb_buffer *url, slice path)
{
    const size_t root = url->size;
    bool open = true;
    for (size_t i = 0; i < path.size;) {
        slice segment = {path.at + i + 1, 0};
        for (i += 1; i < path.size && path.at[i] != '/' && path.at[i] != '\\'; i++) {
            segment.size += 1;
        }
        const int climbs = dots(segment);
        open = climbs == 1 || climbs == 2;
        if (climbs == 2) {
            while (url->size > root && url->data[--url->size] != '/') {
            }
        } else if (climbs != 1) {
            sb_add_byte(url, '/');
            add_encoded(url, segment, "\"#<>?^`{}");
        }
    }
    if (open) {
        sb_add_byte(url, '/');
    }
}

const char *sb_canonical_url(const char *typed, const char **why)
{
    const char *text = stripped(typed);
    const char *rest = strstr(text, "://");
    if (rest == NULL) {
        *why = "is not an absolute URL";
        return NULL;
    }
    char *scheme = sb_copy(text, (size_t)(rest - text));
    for (char *c = scheme; *c != '\0'; c++) {
        *c = lower(*c);
    }
    const bool secure = sb_same(scheme, "https");
    if (!secure && !sb_same(scheme, "http")) {
        *why = "must begin with https:// or http://";
        return NULL;
    }
    rest += 3;
    const size_t whole = strcspn(rest, "#");
    const size_t before_query = strcspn(rest, "?#");
    const size_t authority = strcspn(rest, "/\\?#");
    sb_buffer url = {0};
    sb_add_text(&url, secure ? "https://" : "http://");
    if (!add_authority(&url, (slice){rest, authority}, secure ? 443 : 80, why)) {
        return NULL;
    }
    add_path(&url, (slice){rest + authority, before_query - authority});
    if (before_query < whole) {
        sb_add_byte(&url, '?');
        add_encoded(&url, (slice){rest + before_query + 1, whole - before_query - 1}, "\"#<>'");
    }
    return sb_taken(&url);
}

const char *sb_need_url(const sb_json *object, const char *name)
{
    const char *why = "";
    const char *typed = sb_need_text(object, name);
    const char *url = sb_canonical_url(typed, &why);
    if (url == NULL) {
        const char *field = sb_path_of(sb_member(object, name));
        sb_fail(sb_invalid_settings(field, why));
    }
    return url == NULL ? "" : url;
}
