//! HTML as plain text.

use sendbox_guest::html::plain;

#[test]
fn html_becomes_readable_text() {
    for (html, text) in [
        (
            "<h1>Hi</h1><p>Your <b>code</b>: 1</p><a href=\"https://x.y/z\">link</a><ul><li>a</li></ul>",
            "HI\n\nYour code: 1\n\nlink [https://x.y/z]\n * a",
        ),
        ("a<br>b<br/>c</br>d", "a\nb\nc\nd"),
        ("<p>one<p>two", "one\n\ntwo"),
        ("<ol start=9><li>a<li>b<br>c</ol>", " 9.  a\n 10. b\n     c"),
        (
            "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>",
            " * a\n   * b\n * c",
        ),
        (
            "a<hr>b",
            "a\n\n----------------------------------------\n\nb",
        ),
        (
            "<a href='https://x.y'>https://x.y</a> <a href=\"mailto:a@b.c\">a@b.c</a> <a href=#top>top</a> <a href=https://x.y></a>",
            "https://x.y a@b.c top https://x.y",
        ),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", " a\n \n b"),
        (
            "&copy;&#128512;&#x41;&euro;&apos;&thetasym; &no; & &#x; &#0;",
            "©😀A€'ϑ &no; & &#x; \u{fffd}",
        ),
        ("1 < 2 &amp;&amp; 3 > 2", "1  2 && 3  2"),
    ] {
        assert_eq!(plain(html), text, "{html}");
    }
}

#[test]
fn what_is_not_shown_is_not_in_the_text() {
    for (html, text) in [
        ("<title>T</title><body>b</body>after", "b"),
        ("a<!-- <b>x</b> -->b<!doctype html><?xml?>c", "abc"),
        (
            "a<style>p > a {}</style><SCRIPT>if (a</b) x()</script >b",
            "ab",
        ),
        ("a<img src=x alt=y>b", "ab"),
        ("Hello <b", "Hello"),
        ("Hello <b title=\"x", "Hello"),
        ("Hello <script", "Hello script"),
        ("</ ><>a</b>", "a"),
    ] {
        assert_eq!(plain(html), text, "{html}");
    }
}

#[test]
fn markup_without_an_end_ends() {
    let deep = "<div><a href=x><li>".repeat(5000);
    assert!(plain(&deep).len() < 100_000);
}
