"""What is changed of SimCord's page so that commands can be written there as in Discord, from the keyboard and quickly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SUGGESTIONS: Final = (
    # They come before the first letter, as in Discord.
    (
        'const current = String(field.value || "");',
        """const current = String(field.value || "");
            if (!autocompleteResults.has(autocompleteKey(currentDraft(), option.name, current))) {
              queryAutocomplete(option, current);
            }""",
    ),
    # They go when one was chosen: opened again on that value, they would take every Enter, and nothing would be sent.
    (
        """context();
          if (option.type === "boolean\"""",
        """context();
          if (currentDraft().values[option.name]?.label !== undefined) clearPopup();
          else if (option.type === "boolean\"""",
    ),
    # Options that can be left out are offered, but none of them is marked: Enter sends.
    (
        "if (listItems.length) suggestionListbox.setActive(0",
        'if (listItems.length && !owner.matches(".command-chip")) suggestionListbox.setActive(0',
    ),
)
_CHANNELS_AND_PEOPLE: Final = (
    # Those that do not fit what is typed go at once, not when the next ones come; else a quick Enter takes a wrong one.
    (
        "return Array.isArray(descriptor?.entries) ? descriptor.entries.map(",
        """const typed = String(draft?.values[option.name]?.raw ?? "").trim().replace(/^[#@]/, "").toLowerCase();
    const fits = (entry) => [entry.label, entry.id].some((text) => String(text ?? "").toLowerCase().includes(typed));
    return Array.isArray(descriptor?.entries) ? descriptor.entries.filter(fits).map(""",
    ),
    # They may be typed with the sign they are shown with.
    ("query: queryValue, cursor: null", 'query: queryValue.replace(/^[#@]/, ""), cursor: null'),
    # Enter on a chosen one sends; a click changes it.
    ('!event.target.matches(".command-chip")', '!event.target.matches(".command-chip, .command-mention")'),
)
_AFTERWARDS: Final = (
    # After a command one writes on, without a click into the field.
    (
        "onCommandMode?.(false, detachedReply); detachedReply = null;",
        """onCommandMode?.(false, detachedReply); detachedReply = null;
      if (document.activeElement === document.body) input.focus();""",
    ),
)
_IN_TURN: Final = (
    # What is sent while suggestions are under way waits for them; it was dropped without a word.
    ("let querySequence = 0;", "let querySequence = 0;\n  let held = null;"),
    ("latest.clear();", "latest.clear(); held = null;"),
    (
        'if (pending || (uncertain && kind !== "close")) {',
        """if (pending?.queryIntent && !uncertain && !pageAction(kind)) { held = [kind, extra, metadata]; return; }
    if (pending || (uncertain && kind !== "close")) {""",
    ),
    (
        "const next = queries.entries().next().value;",
        """if (held) { const action = held; held = null; dispatch(...action); return; }
    const next = queries.entries().next().value;""",
    ),
)
# A form begins in its first field, not on the button that closes it.
_FORM: Final = (
    ('dialog.querySelector("input, textarea, button")', 'dialog.querySelector("input, textarea, .button-primary")'),
)
# A form that was given up is told: as long as SimCord believes it open, it offers neither channels nor people.
_FORM_GIVEN_UP: Final = (("dismissed = handle;", 'dismissed = handle; dispatch("refresh", { modal_handle: handle });'),)

WRITING: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "commands.js": _SUGGESTIONS + _CHANNELS_AND_PEOPLE + _AFTERWARDS,
    "actions.js": _IN_TURN,
    "components.js": _FORM,
    "modal.js": _FORM_GIVEN_UP,
}
"""What is replaced by what, file by file."""
