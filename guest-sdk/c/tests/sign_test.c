/** Signatures as their specifications and AWS published them. */

#include "check.h"

#include <string.h>

#include "sendbox_sign.h"

static const char SECRET[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static const char *times(const char *text, int count)
{
    sb_buffer out = {0};
    for (; count > 0; count--) {
        sb_add_text(&out, text);
    }
    return sb_taken(&out);
}

static const char *hash_of(const char *text)
{
    uint8_t digest[SB_SHA256_BYTES];
    sb_sha256(text, strlen(text), digest);
    return sb_hex((sb_signature){digest, sizeof digest});
}

static const char *signed_with(const char *key, sb_algorithm algorithm, const char *text)
{
    return sb_hex(sb_sign(sb_key_of("", key, ""), algorithm, text));
}

static void hashes_are_those_of_their_specifications(void)
{
    test("SHA-256 is that of FIPS 180-4");
    CHECK_TEXT(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_TEXT(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_TEXT(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK_TEXT(hash_of(times("a", 1000000)),
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

    test("HMAC is that of RFC 2202 and RFC 4231, under short keys and long ones");
    const char *data = "what do ya want for nothing?";
    CHECK_TEXT(signed_with("Jefe", SB_HMAC_SHA1, data), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    CHECK_TEXT(signed_with("Jefe", SB_HMAC_SHA256, data),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const char *longer = "Test Using Larger Than Block-Size Key - Hash Key First";
    CHECK_TEXT(signed_with(times("\xAA", 80), SB_HMAC_SHA1, longer),
               "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    CHECK_TEXT(signed_with(times("\xAA", 131), SB_HMAC_SHA256, longer),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    const sb_key *key = sb_key_of("J", "ef", "e");
    CHECK_TEXT(sb_base64(sb_sign(key, SB_HMAC_SHA1, data)), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
}

static sb_request *to_bucket(const char *url)
{
    sb_request *request = sb_request_new("GET", url);
    sb_header(request, "Range", " bytes=0-9 ");
    return request;
}

static void requests_are_signed_as_aws_published_it(void)
{
    test("a key is derived as in AWS's own example");
    const sb_key *key = sb_key_of("AWS4", SECRET, "");
    key = sb_derive(sb_derive(sb_derive(key, "20150830"), "us-east-1"), "iam");
    CHECK_TEXT(sb_hex(sb_sign(key, SB_HMAC_SHA256, "aws4_request")),
               "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");

    /* The first one of "Signature Calculations for the Authorization Header", Amazon S3. */
    test("a request is signed as in AWS's own example");
    const sb_aws aws = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                        "us-east-1", "s3"};
    /* As it goes on the wire, and as somebody typed it. */
    static const char *const good[] = {
        "https://examplebucket.s3.amazonaws.com/test.txt",
        "HTTPS://ExampleBucket.S3.AmazonAWS.com:443/a/../test.txt"};
    sb_host_answers(200, "");
    sb_test_host.now = 1369353600000;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        sb_request *request = to_bucket(good[i]);
        sb_sigv4(request, &aws);
        const sb_pair last = request->headers[request->header_count - 1];
        CHECK_TEXT(last.name, "authorization");
        CHECK_TEXT(
            last.value,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
            "aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature="
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        CHECK_TEXT(request->url, good[0]);
    }

    static const char *const bad[] = {"",
                                      "/path",
                                      "https://",
                                      "https://x.test/?a=b",
                                      "https://x.test/a%20b",
                                      "https://x.test/a b",
                                      "https://x.test/a:b",
                                      "https://x.test/a//b",
                                      "https://x.test//",
                                      "https://u:p@x.test/"};
    test("an address that services read in two ways is not signed");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sb_reset();
        sb_sigv4(to_bucket(bad[i]), &aws);
        CHECK(sb_failed() && sb_noted().kind == SB_INVALID_SETTINGS);
    }

    static const sb_aws missing[] = {{NULL, "secret", "us-east-1", "s3"},
                                     {"id", NULL, "us-east-1", "s3"},
                                     {"id", "secret", NULL, "s3"},
                                     {"id", "secret", "us-east-1", NULL}};
    test("without all of an access key and its scope nothing is signed");
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        sb_reset();
        sb_sigv4(to_bucket(good[0]), &missing[i]);
        CHECK(sb_failed() && sb_noted().kind == SB_INVALID_SETTINGS);
    }
}

/** The code of the failure that a refusal of the host's becomes. */
static const char *code_of(sb_signing_error error, const char *words)
{
    const sb_signing_refusal refusal = {error, words};
    sb_reset();
    sb_test_host.refusal = &refusal;
    CHECK(sb_sign(sb_key_of("", SECRET, ""), SB_HMAC_SHA256, "text").size == 0);
    sb_test_host.refusal = NULL;
    CHECK(sb_failed() && sb_noted().kind == SB_INVALID_SETTINGS);
    return sb_noted().code;
}

static void refusals_are_failures(void)
{
    test("a refusal of the host's is a failure of the settings");
    CHECK_TEXT(code_of(SB_SIGNING_NOT_SUPPORTED, NULL), "not-supported");
    CHECK_TEXT(code_of(SB_SIGNING_DENIED, NULL), "denied");
    CHECK_TEXT(code_of(SB_SIGNING_LIMIT, NULL), "limit");
    CHECK_TEXT(code_of(SB_SIGNING_INVALID_KEY, "in words"), "invalid-key");
    CHECK_TEXT(sb_noted().message, "signing: in words");

    test("nothing is signed once a failure is noted, and what is missing does not sign");
    const sb_key *key = sb_key_of("", SECRET, "");
    CHECK(sb_derive(key, NULL) == NULL && sb_sign(key, SB_HMAC_SHA256, NULL).size == 0);
    sb_fail(sb_failure_new(SB_REJECTED, "no"));
    CHECK(sb_derive(key, "a") == NULL && sb_key_of("", SECRET, "") == NULL);
    CHECK(sb_sign(key, SB_HMAC_SHA256, "a").size == 0);
    CHECK_TEXT(sb_hex(sb_sign(NULL, SB_HMAC_SHA256, "a")), "");
    CHECK_TEXT(sb_noted().message, "no");
}

const sb_connector sendbox_connector = {.settings = NULL};

int main(void)
{
    hashes_are_those_of_their_specifications();
    requests_are_signed_as_aws_published_it();
    refusals_are_failures();
    return result("sign");
}
