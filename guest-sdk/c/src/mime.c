/**
 * Composing mail (RFC 5322, MIME): bodies in 7bit where they can be, else in base64; headers in
 * encoded words (RFC 2047) where they must be.
 */

#include <string.h>

#include "internal.h"

/** Where a header's line is folded (RFC 2047, 2). */
#define WIDTH 76
/** The longest word that stays as it is: with any name before it, its line is within 998 bytes. */
#define WORD_MAX 900
/** The bytes in an encoded word of at most 75 letters (RFC 2047, 2). */
#define ENCODED_BYTES 45
/** `=?utf-8?B?` and `?=`, and the space before them. */
#define ENCODED_FRAME 13
/** The longest line of a body that is sent as it is (RFC 5322, 2.1.1). */
#define LINE_MAX_PLAIN 78

/** Header lines under construction. */
typedef struct {
    sb_buffer text;
    size_t column; /**< Bytes of the last line. */
    bool begun;    /**< A field has its name and no word yet. */
} header;

void sb_add_base64(sb_buffer *out, const char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t count = size - i < 3 ? size - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++) {
            bits = bits << 8 | (j < count ? (unsigned char)bytes[i + j] : 0);
        }
        for (size_t j = 0; j < 4; j++) {
            sb_add_byte(out, j > count ? '=' : digits[bits >> (18 - 6 * j) & 63]);
        }
    }
}

static void put(header *head, const char *text, size_t size)
{
    sb_add(&head->text, text, size);
    head->column += size;
}

static void begin(header *head, const char *name)
{
    head->column = 0;
    put(head, name, strlen(name));
    put(head, ":", 1);
    head->begun = true;
}

static void end(header *head)
{
    sb_add_text(&head->text, "\r\n");
}

/** A word behind a space, on a new line where it does not fit and is not the first one. */
static void add_word(header *head, const char *word, size_t size)
{
    if (head->column + 1 + size > WIDTH && !head->begun) {
        end(head);
        head->column = 0;
    }
    head->begun = false;
    put(head, " ", 1);
    put(head, word, size);
}

/** Words that are ready, with single spaces between them. */
static void add_words(header *head, const char *text)
{
    for (size_t size; *text != '\0'; text += size + (text[size] == ' ' ? 1 : 0)) {
        size = strcspn(text, " ");
        add_word(head, text, size);
    }
}

/** The text in encoded words, each of whole characters. */
static void add_encoded(header *head, const char *given)
{
    /* Where characters begin is known of UTF-8 alone. */
    const char *text = sb_text_of(given, strlen(given));
    size_t rest = strlen(text);
    while (rest > 0) {
        /* A field's name may leave little of its line. */
        const size_t used = head->column + ENCODED_FRAME;
        const size_t room = used < WIDTH - 16 ? (WIDTH - used) / 4 * 3 : ENCODED_BYTES;
        const size_t most = room < ENCODED_BYTES ? room : ENCODED_BYTES;
        size_t size = rest < most ? rest : most;
        while (size < rest && ((unsigned char)text[size] & 0xC0) == 0x80) {
            size -= 1;
        }
        sb_buffer word = {0};
        sb_add_text(&word, "=?utf-8?B?");
        sb_add_base64(&word, text, size);
        sb_add_text(&word, "?=");
        add_word(head, word.data, word.size);
        text += size;
        rest -= size;
    }
}

/** Whether a text can stand in a header as it is: a fold keeps no more than one space. */
static bool is_plain(const char *text)
{
    size_t word = 0;
    for (const char *at = text; *at != '\0'; at++) {
        word = *at == ' ' ? 0 : word + 1;
        const bool lone = *at == ' ' && (at == text || at[1] == ' ' || at[1] == '\0');
        if (lone || word > WORD_MAX || (unsigned char)*at >= 0x7F || (unsigned char)*at < ' ') {
            return false;
        }
    }
    return true;
}

static void add_text(header *head, const char *name, const char *value)
{
    const char *line = sb_one_line(value);
    begin(head, name);
    if (is_plain(line)) {
        add_words(head, line);
    } else {
        add_encoded(head, line);
    }
    end(head);
}

static void add_ready(header *head, const char *name, const char *value)
{
    begin(head, name);
    add_words(head, value);
    end(head);
}

/** An address in brackets. It may hold blanks in quotes, and is never folded. */
static void add_path(header *head, const char *address)
{
    const char *path = sb_concat("<", address, ">", NULL);
    add_word(head, path, strlen(path));
}

static void add_mailbox(header *head, const char *name, sb_mailbox mailbox)
{
    const char *display = sb_one_line(mailbox.name == NULL ? "" : mailbox.name);
    begin(head, name);
    /* Some readers decode words inside quotes as well. */
    if (is_plain(display) && *display != '\0' && strstr(display, "=?") == NULL) {
        sb_buffer quoted = {0};
        sb_add_byte(&quoted, '"');
        for (; *display != '\0'; display++) {
            sb_add_text(&quoted, *display == '"' || *display == '\\' ? "\\" : "");
            sb_add_byte(&quoted, *display);
        }
        sb_add_byte(&quoted, '"');
        add_words(head, sb_taken(&quoted));
    } else {
        add_encoded(head, display);
    }
    add_path(head, mailbox.address);
    end(head);
}

/** The text with LF at the ends of its lines. */
static const char *with_line_feeds(const char *text)
{
    sb_buffer lines = {0};
    for (; *text != '\0'; text++) {
        const bool pair = text[0] == '\r' && text[1] == '\n';
        sb_add_byte(&lines, *text == '\r' ? '\n' : *text);
        text += pair ? 1 : 0;
    }
    return sb_taken(&lines);
}

/** Whether each line can be sent as it is. No boundary is a part of such a body: it holds `=_`. */
static bool is_7bit(const char *text)
{
    size_t column = 0;
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        column = c == '\n' ? 0 : column + 1;
        if (column > LINE_MAX_PLAIN || c >= 0x7F || (c < ' ' && c != '\n' && c != '\t') ||
            (c == '=' && text[1] == '_')) {
            return false;
        }
    }
    return true;
}

/** A part of one body, behind what its head has already. */
static void add_part(header *head, const char *content_type, const char *body)
{
    const char *lines = with_line_feeds(body == NULL ? "" : body);
    const bool plain = is_7bit(lines);
    sb_buffer text = {0};
    for (; *lines != '\0'; lines++) {
        sb_add_text(&text, *lines == '\n' ? "\r" : "");
        sb_add_byte(&text, *lines);
    }
    sb_add_text(&text, plain ? "\r\n" : "");
    add_ready(head, "Content-Type", content_type);
    add_ready(head, "Content-Transfer-Encoding", plain ? "7bit" : "base64");
    end(head);
    if (plain) {
        sb_add(&head->text, text.data, text.size);
        return;
    }
    /* 57 bytes are the 76 letters of a line (RFC 2045, 6.8). */
    for (size_t at = 0; at < text.size; at += 57) {
        sb_add_base64(&head->text, text.data + at, text.size - at < 57 ? text.size - at : 57);
        end(head);
    }
}

/** Refuses a header that the mail has from its fields, from servers on its way, or by no name. */
static void check_header(const char *name)
{
    static const char *const reserved[] = {
        "bcc",      "cc",          "date",   "dkim-signature", "from",    "message-id", "received",
        "reply-to", "return-path", "sender", "mime-version",   "subject", "to",         "x-bcc"};
    const size_t size = strlen(name);
    char lower[WIDTH + 1] = "";
    bool good = size > 0 && size <= WIDTH;
    for (size_t i = 0; good && i < size; i++) {
        good = name[i] > ' ' && name[i] < 0x7F && name[i] != ':';
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    }
    if (!good) {
        const char *words = "a header's name holds other than printable ASCII";
        sb_fail(sb_invalid_settings("headers", words));
    }
    bool own = sb_starts_with(lower, "content-");
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        own = own || sb_same(lower, reserved[i]);
    }
    if (own) {
        sb_fail(sb_invalid_settings("headers", sb_concat(name, " is set by the SDK", NULL)));
    }
}

/** The id in letters that a `Message-ID` and a boundary take. */
static const char *token_of(const char *id)
{
    sb_buffer token = {0};
    for (; *id != '\0' && token.size < 64; id++) {
        const char lower = (char)(*id | 0x20);
        const bool kept =
            (lower >= 'a' && lower <= 'z') || sb_is_digit(*id) || *id == '-' || *id == '.';
        if (((unsigned char)*id & 0xC0) != 0x80) {
            sb_add_byte(&token, kept ? *id : '-');
        }
    }
    return sb_taken(&token);
}

static void add_fields(header *head, const sb_mail *mail, const char *token)
{
    const char *domain = strrchr(mail->from.address, '@');
    add_mailbox(head, "From", mail->from);
    add_mailbox(head, "To", (sb_mailbox){.address = mail->to});
    if (mail->reply_to.address != NULL && *mail->reply_to.address != '\0') {
        add_mailbox(head, "Reply-To", mail->reply_to);
    }
    add_text(head, "Subject", mail->subject == NULL ? "" : mail->subject);
    add_ready(head, "Message-ID", sb_concat("<", token, domain == NULL ? "@" : domain, ">", NULL));
    add_ready(head, "Date", sb_mail_date(sb_now()));
    const sb_pair *own = mail->headers;
    for (; own != NULL && own->name != NULL; own++) {
        check_header(own->name);
        if (own->value != NULL) {
            add_text(head, own->name, own->value);
        }
    }
    add_ready(head, "MIME-Version", "1.0");
}

static bool is_address(const char *text)
{
    return sb_same(text, sb_address(text));
}

static void check_addresses(const sb_mail *mail)
{
    const char *reply_to = mail->reply_to.address;
    if (!is_address(mail->from.address)) {
        sb_fail(sb_invalid_settings("from", "is no mail address"));
    } else if (!is_address(mail->to)) {
        sb_fail(sb_failure_new(SB_REJECTED, "the recipient is not one mail address"));
    } else if (reply_to != NULL && *reply_to != '\0' && !is_address(reply_to)) {
        sb_fail(sb_failure_new(SB_REJECTED, "the reply address is no mail address"));
    }
}

const char *sb_compose(const sb_mail *mail)
{
    static const char plain[] = "text/plain; charset=utf-8";
    static const char html[] = "text/html; charset=utf-8";
    check_addresses(mail);
    if (sb_failed()) {
        return "";
    }
    const bool has_id = mail->id != NULL && *mail->id != '\0';
    const char *token = token_of(has_id ? mail->id : sb_uuid());
    header head = {0};
    add_fields(&head, mail, token);
    if (mail->text == NULL || mail->html == NULL) {
        const bool is_html = mail->html != NULL;
        add_part(&head, is_html ? html : plain, is_html ? mail->html : mail->text);
        return sb_taken(&head.text);
    }
    const char *boundary = sb_concat("--=_", token, NULL);
    add_ready(&head, "Content-Type",
              sb_concat("multipart/alternative; boundary=\"", boundary + 2, "\"", NULL));
    end(&head);
    sb_add_text(&head.text, sb_concat(boundary, "\r\n", NULL));
    add_part(&head, plain, mail->text);
    sb_add_text(&head.text, sb_concat(boundary, "\r\n", NULL));
    add_part(&head, html, mail->html);
    sb_add_text(&head.text, sb_concat(boundary, "--\r\n", NULL));
    return sb_taken(&head.text);
}
