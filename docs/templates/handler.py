"""The handler ``example_name``: a first method to change into what it shall do."""

from __future__ import annotations

from schedule_zero import Context, Handler, method


class ExampleName(Handler):
    """Schedules address it as ``example_name``; every ``@method`` is something a schedule can call."""

    name = "example_name"

    @method(timeout=30)
    async def echo(self, ctx: Context, text: str, times: int = 1) -> dict[str, str]:
        """Answer with the text; the argument types become the form that people fill in."""
        ctx.log(f"attempt {ctx.attempt}")
        return {"text": " ".join([text] * times)}
