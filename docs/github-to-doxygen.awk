# Input filter for Doxygen: turns the course's plain GitHub Markdown into what Doxygen 1.9 understands.
#
#   COURSE_SOURCE=/path/to/clone awk -f docs/github-to-doxygen.awk lessons/03-send-and-receive/README.md
#
#   heading            gets an id that depends only on its text, so that links to it stay valid
#   link to a page     becomes @ref, or @subpage in the main page's table (that orders the sidebar)
#   link to a header   becomes @ref to its reference page
#   link elsewhere     goes to COURSE_REPOSITORY_URL when that is set, else only its text is kept
#   navigation line    becomes <nav>
#   lone SVG image     is put into the page itself, so that it follows the dark-mode switch
#   ```console         typed lines are told apart from output
#   ```diff            added and removed lines are told apart
#   <details>          is kept, with Markdown inside it
#   > [!NOTE]          becomes <aside>
#   HTML comment       vanishes
#
# Works with mawk and gawk, which is why there are no regular-expression intervals here.

# ---- Names -------------------------------------------------------------------------------------

# "a/b/../c" -> "a/c"; nothing when the path leaves the repository.
function normal(path,   count, part, kept, depth, i, result) {
    count = split(path, part, "/")
    depth = 0
    for (i = 1; i <= count; ++i) {
        if (part[i] == "" || part[i] == ".") continue
        if (part[i] == "..") { if (--depth < 0) return ""; continue }
        kept[++depth] = part[i]
    }
    result = ""
    for (i = 1; i <= depth; ++i) result = result (i > 1 ? "/" : "") kept[i]
    return result
}

# The page id of a Markdown file of the repository; nothing when it is not part of the site.
function page_of(path,   part) {
    if (path == "README.md") return "mainpage"
    if (path ~ /^lessons\/[0-9][0-9]-[^\/]+\/README\.md$/) {
        split(path, part, "/")
        return "lesson-" part[2]
    }
    if (path ~ /^docs\/[^\/]+\.md$/) return substr(path, 6, length(path) - 8)
    return ""
}

function is_reference(path) {
    return path ~ /^lessons\/[^\/]+\/[^\/]+\.hpp$/ || path ~ /^tests\/grader\/.+\.hpp$/
}

function ref_target(page) { return page == "mainpage" ? "index" : page }
function file_of(page) { return ref_target(page) ".html" }

# The anchor that GitHub gives a heading: "Why `nfds` + 1?" -> "why-nfds--1"
function slug(text) {
    text = tolower(text)
    gsub(/[^a-z0-9 _-]/, "", text)
    gsub(/ /, "-", text)
    return text
}

# ---- Inline text -------------------------------------------------------------------------------

function html(text) {
    gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
    return text
}

# HTML of a caption or summary: only code spans are marked up.
function html_with_code(text,   count, part, i, result) {
    count = split(text, part, "`")
    result = ""
    for (i = 1; i <= count; ++i) result = result (i % 2 ? html(part[i]) : "<code>" html(part[i]) "</code>")
    return result
}

# Text that is not code: keep Doxygen from taking it for commands, and from leaving Markdown between
# double quotes as it is. (In a heading &quot; would break the sidebar's script.)
function plain(text) {
    gsub(/@/, "\\@", text)
    gsub(/::/, "\\::", text)
    if (!in_heading) gsub(/"/, "\\&quot;", text)
    return text
}

# A code span. One that holds ::name or #name, which Doxygen would take for a link that must resolve,
# is written as <tt> with everything special escaped.
function code_span(ticks, code) {
    if (code !~ /(^|[^A-Za-z0-9_>]):: *[A-Za-z_]|#[A-Za-z_]/) return ticks code ticks
    gsub(/^ +| +$/, "", code)
    gsub(/\\/, "\\\\", code)
    gsub(/[@#%*_"|~-]/, "\\\\&", code)
    gsub(/::/, "\\::", code)
    return "<tt>" html(code) "</tt>"
}

function link(text, url,   hash, anchor, path, page, command, code) {
    if (url ~ /^(https?:|mailto:)/) return "[" inline(text) "](" url ")"
    hash = index(url, "#")
    anchor = hash ? substr(url, hash + 1) : ""
    if (hash) url = substr(url, 1, hash - 1)
    path = url == "" ? self : normal(folder url)

    code = text ~ /^`[^`]*`$/
    if (code) text = substr(text, 2, length(text) - 2)
    gsub(/[`"]/, "", text)

    page = page_of(path)
    if (page != "") {
        if (anchor != "") command = "@ref " page "-" anchor
        else if (me == "mainpage" && in_table && !(page in listed)) {
            listed[page] = 1
            command = "@subpage " page
        } else command = "@ref " ref_target(page)
    } else if (is_reference(path)) command = "@ref " path
    else if (ENVIRON["COURSE_REPOSITORY_URL"] != "") {
        url = ENVIRON["COURSE_REPOSITORY_URL"] "/" path (hash ? "#" anchor : "")
        return "[" (code ? "`" text "`" : text) "](" url ")"
    } else return code ? "`" text "`" : plain(text)

    command = command " \"" text "\""
    return code ? "<tt>" command "</tt>" : command
}

# Walks through one line: code spans stay, links are rewritten, the rest is plain text.
function inline(s,   out, rest, ticks, stop, close_bracket, text, url) {
    out = ""
    while (match(s, /[`\[\\]/)) {
        out = out plain(substr(s, 1, RSTART - 1))
        s = substr(s, RSTART)
        if (substr(s, 1, 1) == "\\") { out = out substr(s, 1, 2); s = substr(s, 3); continue }
        if (substr(s, 1, 1) == "`") {
            match(s, /^`+/)
            ticks = substr(s, 1, RLENGTH)
            rest = substr(s, RLENGTH + 1)
            stop = index(rest, ticks)
            if (!stop) { out = out ticks; s = rest; continue }
            out = out code_span(ticks, substr(rest, 1, stop - 1))
            s = substr(rest, stop + length(ticks))
            continue
        }
        if (match(s, /^\[[^\]]*\]\([^) ]+\)/)) {
            close_bracket = index(s, "](")
            text = substr(s, 2, close_bracket - 2)
            url = substr(s, close_bracket + 2, RLENGTH - close_bracket - 2)
            s = substr(s, RLENGTH + 1)
            out = out link(text, url)
            continue
        }
        out = out "["
        s = substr(s, 2)
    }
    return out plain(s)
}

# ---- Blocks ------------------------------------------------------------------------------------

function raw(text) { print "@htmlonly[block]\n" text "\n@endhtmlonly" }

# [<- 01 One](../01-one/README.md) · [Course](../../README.md) · [03 Three ->](...)
function navigation(line,   out, text, url, page, kind) {
    out = ""
    while (match(line, /\[[^\]]*\]\([^)]*\)/)) {
        text = substr(line, RSTART + 1, index(line, "](") - RSTART - 1)
        url = substr(line, index(line, "](") + 2)
        url = substr(url, 1, index(url, ")") - 1)
        line = substr(line, RSTART + RLENGTH)
        page = page_of(normal(folder url))
        kind = page == "mainpage" ? "course" : text ~ /^←/ ? "previous" : "next"
        gsub(/^← *| *→$/, "", text)
        out = out "<a class=\"" kind "\" href=\"" file_of(page) "\""
        out = out (kind == "previous" ? " rel=\"prev\"" : kind == "next" ? " rel=\"next\"" : "")
        out = out "><span>" html_with_code(text) "</span></a>\n"
    }
    raw("<nav class=\"lesson-nav\" aria-label=\"Lessons\">\n" out "</nav>")
}

function figure(line,   middle, caption, file, svg, text, got) {
    middle = index(line, "](")
    caption = substr(line, 3, middle - 3)
    file = substr(line, middle + 2, length(line) - middle - 2)
    file = ENVIRON["COURSE_SOURCE"] "/" normal(folder file)
    svg = ""
    while ((got = (getline text < file)) > 0)
        if (text !~ /^<\?xml|^<!DOCTYPE|^<!--.*-->$/) svg = svg text "\n"
    if (got < 0) {
        print self ":" FNR ": error: no figure " file > "/dev/stderr"
        print "@ref missing-figure"  # makes Doxygen fail as well
        return
    }
    close(file)
    raw("<figure>\n<div class=\"drawing\">\n" svg "</div>\n" \
        "<figcaption>" html_with_code(caption) "</figcaption>\n</figure>")
}

# A fence of C++ goes to Doxygen, and so does one inside a list; every other is written as HTML.
function open_fence(line,   info) {
    match(line, /^ *`+/)
    fence_indent = index(line, "`") - 1
    fence_ticks = substr(line, fence_indent + 1, RLENGTH - fence_indent)
    info = substr(line, RLENGTH + 1)
    gsub(/[^a-z]/, "", info)
    fence = info == "" ? "text" : info
    fence_is_html = fence != "cpp" && fence_indent == 0
    fence_size = 0
    if (fence_is_html) print "@htmlonly[block]\n<div class=\"fragment " fence "\">"
    else print substr(line, 1, RLENGTH) (fence == "cpp" ? "cpp" : "{.unparsed}")
}

# The theme's copy button leaves out .lineno, so of a transcript with prompts it copies what was typed.
function html_line(line, has_prompts,   kind) {
    if (has_prompts && line !~ /^\$ /)
        return "<div class=\"line\"><span class=\"lineno\">" html(line) "</span></div>"
    if (has_prompts) { kind = " typed"; line = substr(line, 3) }
    if (fence == "diff" && line ~ /^\+/) kind = " added"
    if (fence == "diff" && line ~ /^-/) kind = " removed"
    return "<div class=\"line" kind "\">" html(line) "</div>"
}

function close_fence(line,   i, has_prompts) {
    if (fence_is_html) {
        has_prompts = 0
        for (i = 1; i <= fence_size; ++i)
            if (fence == "console" && fence_line[i] ~ /^\$ /) has_prompts = 1
        for (i = 1; i <= fence_size; ++i) print html_line(fence_line[i], has_prompts)
        print "</div>\n@endhtmlonly"
    } else print line
    fence = ""
}

# The main page's headings are anchors and not sections: sections would stand between it and the
# lessons in the sidebar.
function heading(line,   level, text, id) {
    match(line, /^#+/)
    level = RLENGTH
    text = substr(line, level + 1)
    sub(/^ +/, "", text); sub(/ +$/, "", text)
    if (level == 1 && !titled) {
        titled = 1
        print "# " inline(text) " {#" me "}\n"
        if (me != "mainpage") print "\\tableofcontents{HTML:1}\n"
        return
    }
    id = slug(text)
    if (slug_count[id]++) id = id "-" (slug_count[id] - 1)
    if (me == "mainpage") {
        print "@anchor " me "-" id
        print "<h" (level - 1) ">" inline(text) "</h" (level - 1) ">\n"
    } else print substr(line, 1, level) " " inline(text) " {#" me "-" id "}"
}

BEGIN {
    source = ENVIRON["COURSE_SOURCE"]
    sub(/\/$/, "", source)
}

FNR == 1 {
    self = FILENAME
    if (index(self, source "/") == 1) self = substr(self, length(source) + 2)
    folder = self
    sub(/[^\/]*$/, "", folder)
    me = page_of(self)
    if (me == "") { me = self; gsub(/[^A-Za-z0-9]/, "-", me) }
    fence = ""
    titled = 0
}

fence != "" {
    stripped = $0
    gsub(/^ +| +$/, "", stripped)
    if (stripped ~ /^`+$/ && length(stripped) >= length(fence_ticks)) close_fence($0)
    else if (fence_is_html) fence_line[++fence_size] = $0
    else print
    next
}

/^ *```/ { open_fence($0); next }

in_comment { if (/-->/) in_comment = 0; next }
/^<!--/    { if (!/-->/) in_comment = 1; next }

/^#+ /     { in_heading = 1; heading($0); in_heading = 0; next }

/^\[.*\]\(.*README\.md\)$/ && me ~ /^lesson-/ && /\[Course\]/ { navigation($0); next }

/^> \[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\] *$/ {
    kind = $0
    gsub(/[^A-Z]/, "", kind)
    title = substr(kind, 1, 1) tolower(substr(kind, 2))
    raw("<aside class=\"alert " tolower(kind) "\"><p class=\"kind\">" title "</p>")
    in_alert = 1
    next
}
in_alert && /^>/ { sub(/^> ?/, ""); print inline($0); next }
in_alert         { in_alert = 0; raw("</aside>") }

/^<details/      { raw("<details class=\"fold\">"); next }
/^<\/details>/   { raw("</details>"); next }
/^<summary>.*<\/summary> *$/ {
    gsub(/^<summary>|<\/summary> *$/, "")
    raw("<summary>" html_with_code($0) "</summary>")
    next
}

/^!\[[^\]]*\]\([^)]*\.svg\) *$/ { sub(/ +$/, ""); figure($0); next }

{
    in_table = /^\|/
    sub(/^- \[ \] /, "- ☐ ")
    sub(/^- \[x\] /, "- ☑ ")
    print inline($0)
}

END { if (in_alert) raw("</aside>") }
