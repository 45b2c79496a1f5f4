/** The texts and addresses of a message, and what a failure must not tell of it. */

#include <string.h>

#include "internal.h"

static bool has_variable(const char *text)
{
    return text != NULL && strstr(text, "{{") != NULL;
}

/** Bytes of the character at `at` that means something in an address, ends a line or hides in it; else 0. */
static size_t apart(const char *at, size_t left)
{
    static const char *const MARKS[] = {"\uff20", "\ufe6b", "\u00ad", "\u061c", "\ufeff"};
    const unsigned char byte = (unsigned char)*at;
    if (sb_is_control(byte) || strchr(" <>()[]\\,;:\"@", *at) != NULL) {
        return 1;
    }
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        if (left >= strlen(MARKS[i]) && memcmp(at, MARKS[i], strlen(MARKS[i])) == 0) {
            return strlen(MARKS[i]);
        }
    }
    /* U+0080 to U+009F; U+200B to U+200F, U+2028 to U+202E and U+2060 to U+206F. */
    if (left >= 2 && byte == 0xC2 && (unsigned char)at[1] < 0xA0) {
        return 2;
    }
    if (left < 3 || byte != 0xE2) {
        return 0;
    }
    const unsigned char row = (unsigned char)at[1], last = (unsigned char)at[2];
    const bool marks = row == 0x80 && ((last >= 0x8B && last <= 0x8F) || (last >= 0xA8 && last <= 0xAE));
    return marks || (row == 0x81 && last >= 0xA0 && last <= 0xAF) ? 3 : 0;
}

/** A value in a display name. */
static void add_words(sb_buffer *out, const char *value, size_t size)
{
    bool between = false, begun = false;
    for (size_t at = 0; at < size;) {
        const size_t skipped = apart(value + at, size - at);
        if (skipped > 0) {
            between = begun;
            at += skipped;
            continue;
        }
        if (between) {
            sb_add_byte(out, ' ');
        }
        between = false;
        begun = true;
        sb_add_byte(out, value[at]);
        at += 1;
    }
}

/**
 * A mailbox of a text with variables. It is read first and filled in then, and in the name alone: a value that stands
 * for an address, or a part of one, leaves the given `address` in its place.
 */
static sb_mailbox mailbox_filled(const sb_message *message, const char *text, const char *address,
                                 const char *name)
{
    sb_mailbox read = sb_mailbox_parse(text, address, name);
    if (!has_variable(text)) {
        return read;
    }
    const sb_mailbox own = sb_mailbox_parse("", address, name);
    sb_buffer shown = {0};
    sb_render_into(&shown, read.name, message->payload, add_words);
    const char *words = sb_without_controls(sb_taken(&shown));
    read.name = *words == '\0' ? own.name : words;
    read.address = has_variable(read.address) ? own.address : read.address;
    return read;
}

/** A mailbox or, unless `whole`, a name on one line: an address is there only where the text has one. */
static const char *filled_mailbox(const sb_message *message, const char *text, bool whole)
{
    if (!has_variable(text)) {
        return text == NULL ? NULL : sb_one_line(text);
    }
    const sb_mailbox read = mailbox_filled(message, text, "", "");
    if (*read.address != '\0') {
        return sb_mailbox_text(read);
    }
    return whole || *read.name == '\0' ? NULL : read.name;
}

const sb_content *sb_content_of(const sb_message *message)
{
    const sb_content *given = message->content;
    if (given == NULL) {
        return NULL;
    }
    sb_content *content = sb_alloc(sizeof *content);
    content->subject = sb_render_line(message, given->subject);
    content->body =
        given->plain ? sb_render(message, given->body) : sb_render_html(message, given->body);
    content->plain = given->plain;
    content->text = given->text == NULL ? NULL : sb_render(message, given->text);
    content->reply_to = filled_mailbox(message, given->reply_to, true);
    content->send_from = filled_mailbox(message, given->send_from, false);
    return content;
}

/** Whether a template says that its text is plain; HTML where it says nothing. */
static bool is_plain(const sb_json *chosen)
{
    const char *name = sb_member(chosen, "type") == NULL ? "contentType" : "type";
    const char *type = sb_optional_text(chosen, name);
    if (type != NULL && !sb_same(type, "text/plain") && !sb_same(type, "text/html")) {
        const char *field = sb_path_of(sb_member(chosen, name));
        sb_fail(sb_invalid_settings(field, "expected text/html or text/plain"));
    }
    return sb_same(type, "text/plain");
}

const sb_content *sb_mail_text(const sb_message *message, const sb_json *templates)
{
    const sb_content *overriding = sb_content_of(message);
    if (overriding != NULL) {
        return overriding;
    }
    const sb_json *chosen = sb_choose(templates, message->usage_type);
    sb_content *content = sb_alloc(sizeof *content);
    content->subject = sb_render_line(message, sb_need_text(chosen, "subject"));
    const char *body = sb_need_text(chosen, "content");
    content->plain = is_plain(chosen);
    content->body = content->plain ? sb_render(message, body) : sb_render_html(message, body);
    return content;
}

const char *sb_sms_text(const sb_message *message, const sb_json *templates)
{
    if (message->content != NULL) {
        return sb_render(message, message->content->body);
    }
    const sb_json *chosen = sb_choose(templates, message->usage_type);
    return sb_render(message, sb_need_text(chosen, "content"));
}

const char *sb_html(const sb_content *content)
{
    return content->plain ? NULL : content->body;
}

const char *sb_plain(const sb_content *content)
{
    return content->plain ? content->body : content->text;
}

/** A part of a mailbox, without what would end a header or an address. */
static const char *bare(const char *text, size_t size)
{
    sb_buffer kept = {0};
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '<' && text[i] != '>') {
            sb_add_byte(&kept, text[i]);
        }
    }
    return sb_without_controls(sb_taken(&kept));
}

static sb_mailbox mailbox_of(const char *address, const char *name)
{
    return (sb_mailbox){bare(address, strlen(address)), bare(name, strlen(name))};
}

static bool has_space(const char *text)
{
    while (*text != '\0' && sb_space(text) == 0) {
        text += 1;
    }
    return *text != '\0';
}

sb_mailbox sb_mailbox_parse(const char *given, const char *address, const char *name)
{
    const char *text = sb_without_controls(given == NULL ? "" : given);
    const size_t size = strlen(text);
    if (size > 0 && text[size - 1] == '>') {
        /* The address begins at the first `<` behind any other `>`. */
        const char *open = NULL;
        for (size_t i = 0; i + 1 < size; i++) {
            open = text[i] == '>' ? NULL : open == NULL && text[i] == '<' ? text + i : open;
        }
        if (open != NULL) {
            const char *own = bare(open, strlen(open));
            const char *before = bare(text, (size_t)(open - text));
            return *own == '\0' ? mailbox_of(address, before) : (sb_mailbox){own, before};
        }
    }
    if (size == 0) {
        return mailbox_of(address, name);
    }
    const bool is_address = strchr(text, '@') != NULL && !has_space(text);
    return is_address ? mailbox_of(text, "") : mailbox_of(address, text);
}

const char *sb_mailbox_text(sb_mailbox mailbox)
{
    if (*mailbox.name == '\0') {
        return mailbox.address;
    }
    return sb_concat(mailbox.name, " <", mailbox.address, ">", NULL);
}

sb_mailbox sb_sender(const sb_message *message, const char *address, const char *name)
{
    const char *own = message->content == NULL ? NULL : message->content->send_from;
    return mailbox_filled(message, own, address, name);
}

const char *sb_reply_to(const sb_message *message)
{
    if (message->content == NULL || message->content->reply_to == NULL) {
        return NULL;
    }
    const char *given = message->content->reply_to;
    const char *address =
        has_variable(given) ? filled_mailbox(message, given, true) : sb_without_controls(given);
    return address == NULL || *address == '\0' ? NULL : address;
}

static const char *replaced(const char *text, const char *value)
{
    sb_buffer out = {0};
    for (const char *found; (found = strstr(text, value)) != NULL;) {
        sb_add(&out, text, (size_t)(found - text));
        sb_add_text(&out, "…");
        text = found + strlen(value);
    }
    sb_add_text(&out, text);
    return sb_taken(&out);
}

const char *sb_concealed(const sb_message *message, const char *words)
{
    enum { SHORTEST = 4, COUNT = 4 };
    const char *number = message->recipient;
    while (*number == '+') {
        number += 1;
    }
    /* Rendered, because a code may be a number; a missing one renders as itself. */
    const char *values[COUNT] = {sb_render(message, "{{code}}"), sb_render(message, "{{link}}"),
                                 message->recipient, number};
    for (;;) {
        /* The longest first: a code may be a part of the number, which must not stay readable. */
        size_t longest = 0;
        for (size_t i = 1; i < COUNT; i++) {
            longest = strlen(values[i]) > strlen(values[longest]) ? i : longest;
        }
        if (strlen(values[longest]) < SHORTEST) {
            return words;
        }
        words = replaced(words, values[longest]);
        values[longest] = "";
    }
}
