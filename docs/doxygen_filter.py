#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""doxygen_filter.py HEADER

Prints the header as Doxygen wants it: the comments in front of declarations and
behind members become documentation, the lines `/* ---- title ---- */` sections.
The header itself stays plain C for those who read it.
"""
import re
import sys

SECTION = re.compile(r"/\* -{2,} (.*?) -{2,} \*/")


def escaped(comment):
    return re.sub(r"([@\\<>#])", r"\\\1", comment)


def section(match, state):
    end = "/** @} */\n" if state["open"] else ""
    state["open"] = True
    return f"{end}/** @name {match.group(1)} */\n/** @{{ */"


def documented(text):
    state = {"open": False, "first": True}

    def comment(match):
        lead, body = match.group(1), match.group(2)
        if "\\\n" in match.group(0) or body.lstrip().startswith("SPDX"):
            return match.group(0)
        title = SECTION.match("/*" + body + "*/")
        if title:
            return lead + section(title, state)
        if state["first"]:
            state["first"] = False
            return f"{lead}/** @file\n{escaped(body)}*/"
        return f"{lead}/**{'<' if lead.strip() else ''}{escaped(body)}*/"

    # A comment belongs to what stands before it in its line, if anything does;
    # those inside macros are left alone.
    text = re.sub(r"^([^\n]*?)/\*(.*?)\*/(?!\s*\\\n)", comment, text,
                  flags=re.S | re.M)
    if state["open"]:
        at = text.rindex("#ifdef __cplusplus")
        text = text[:at] + "/** @} */\n" + text[at:]
    return text


with open(sys.argv[1], encoding="utf-8") as file:
    sys.stdout.write(documented(file.read()))
