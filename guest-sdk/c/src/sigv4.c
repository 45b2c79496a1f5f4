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

/** Whether each character of a path stands for itself everywhere (RFC 3986, 2.3), or divides it. */
static bool is_plain(const char *path)
{
    for (const char *at = path; *at != '\0'; at++) {
        const char c = (char)(*at | 0x20);
        if (!(c >= 'a' && c <= 'z') && !sb_is_digit(*at) && strchr("-._~/", *at) == NULL) {
            return false;
        }
    }
    return strstr(path, "//") == NULL;
}

static bool is_missing(const char *text)
{
    return text == NULL || *text == '\0';
}

/** Puts the URL into the form that is signed, and refuses what cannot be. */
static bool check(sb_request *request, const sb_aws *aws)
{
    const char *why = "";
    const char *url = sb_canonical_url(request->url, &why);
    const char *words = NULL;
    if (url == NULL || !is_plain(strchr(strstr(url, "://") + 3, '/'))) {
        words = "signing: the URL is none, or has a query, or a path that needs encoding";
    } else if (is_missing(aws->id) || is_missing(aws->secret) || is_missing(aws->region) ||
               is_missing(aws->service)) {
        words = "signing: the access key, region or service is missing";
    }
    if (words != NULL) {
        sb_fail(sb_failure_new(SB_INVALID_SETTINGS, words));
        return false;
    }
    request->url = url;
    return true;
}

/** What AWS hashes of a request whose URL is checked; `names` become those of the headers in it. */
static const char *canonical(const sb_request *request, const char **names)
{
    const char *host = strstr(request->url, "://") + 3;
    const char *path = strchr(host, '/');
    sb_pair sorted[SB_HEADERS_MAX + 1];
    size_t count = put(sorted, 0, (sb_pair){"host", sb_copy(host, (size_t)(path - host))});
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
    return sb_concat(request->method, "\n", path, "\n\n", sb_taken(&lines), "\n\n", *names, "\n",
                     hash_of(request->body, request->body_size), NULL);
}

void sb_sigv4(sb_request *request, const sb_aws *aws)
{
    if (!check(request, aws)) {
        return;
    }
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
