/** AWS Signature Version 4 in a header. */

#include <string.h>

#include "internal.h"

static const char ALGORITHM[] = "AWS4-HMAC-SHA256";

static const char *hash_of(const void *data, size_t size)
{
    uint8_t digest[SB_SHA256_BYTES];
    sb_sha256(data, size, digest);
    return sb_hex((sb_signature){digest, sizeof digest});
}

static const char *lower(const char *text)
{
    char *copy = sb_copy(text, strlen(text));
    for (char *c = copy; *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    }
    return copy;
}

/** A header's value without blanks around it, and with single ones inside. */
static const char *trimmed(const char *value)
{
    sb_buffer text = {0};
    for (; *value != '\0'; value++) {
        const bool blank = *value == ' ' || *value == '\t';
        const bool behind = value[1] == ' ' || value[1] == '\t' || value[1] == '\0';
        if (!blank || (!behind && text.size > 0)) {
            sb_add_byte(&text, blank ? ' ' : *value);
        }
    }
    return sb_taken(&text);
}

/** Puts a header among those that are sorted by name, behind one of the same name. */
static size_t put(sb_pair *sorted, size_t count, sb_pair header)
{
    size_t at = count;
    for (; at > 0 && strcmp(sorted[at - 1].name, header.name) > 0; at--) {
        sorted[at] = sorted[at - 1];
    }
    sorted[at] = header;
    return count + 1;
}

/**
 * Whether each character stands for itself everywhere (RFC 3986, 2.3), or divides paths and ports.
 */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        const char c = (char)(*text | 0x20);
        if (!(c >= 'a' && c <= 'z') && !sb_is_digit(*text) && strchr("-._~/:", *text) == NULL) {
            return false;
        }
    }
    return true;
}

/** What AWS hashes of a request; `names` become those of the headers in it. */
static const char *canonical(const sb_request *request, const char **names)
{
    const char *scheme = strstr(request->url, "://");
    const char *host = scheme == NULL ? "" : scheme + 3;
    const size_t host_size = strcspn(host, "/");
    if (host_size == 0 || !is_plain(host)) {
        const char *words =
            "signing: the URL has no host, or a query, or a path that needs encoding";
        sb_fail(sb_failure_new(SB_INVALID_SETTINGS, words));
        return "";
    }
    sb_pair sorted[SB_HEADERS_MAX + 1];
    size_t count = put(sorted, 0, (sb_pair){"host", sb_copy(host, host_size)});
    for (size_t i = 0; i < request->header_count; i++) {
        const sb_pair header = request->headers[i];
        count = put(sorted, count, (sb_pair){lower(header.name), trimmed(header.value)});
    }
    sb_buffer lines = {0};
    sb_buffer signed_names = {0};
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && sb_same(sorted[i].name, sorted[i - 1].name)) {
            sb_add_text(&lines, sb_concat(",", sorted[i].value, NULL));
        } else {
            const char *name = sorted[i].name;
            sb_add_text(&lines, sb_concat(i > 0 ? "\n" : "", name, ":", sorted[i].value, NULL));
            sb_add_text(&signed_names, sb_concat(i > 0 ? ";" : "", name, NULL));
        }
    }
    *names = sb_taken(&signed_names);
    const char *path = host[host_size] == '\0' ? "/" : host + host_size;
    return sb_concat(request->method, "\n", path, "\n\n", sb_taken(&lines), "\n\n", *names, "\n",
                     hash_of(request->body, request->body_size), NULL);
}

void sb_sigv4(sb_request *request, const sb_aws *aws)
{
    const char *moment = sb_basic_date(sb_now());
    const char *day = sb_copy(moment, strlen("20260102"));
    const char *names = "";
    sb_header(request, "x-amz-date", moment);
    sb_header(request, "x-amz-content-sha256", hash_of(request->body, request->body_size));
    const char *text = canonical(request, &names);

    const char *scope = sb_concat(day, "/", aws->region, "/", aws->service, "/aws4_request", NULL);
    const char *to_sign =
        sb_concat(ALGORITHM, "\n", moment, "\n", scope, "\n", hash_of(text, strlen(text)), NULL);
    const sb_key *key = sb_key_of("AWS4", aws->secret, "");
    key = sb_derive(sb_derive(sb_derive(key, day), aws->region), aws->service);
    key = sb_derive(key, "aws4_request");
    const char *signature = sb_hex(sb_sign(key, SB_HMAC_SHA256, to_sign));
    sb_header(request, "authorization",
              sb_concat(ALGORITHM, " Credential=", aws->id, "/", scope, ", SignedHeaders=", names,
                        ", Signature=", signature, NULL));
}
