"""Requests about signing in to the pages."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest


class NewSignIn(BaseRequest, tag="sign_in.new", frozen=True):
    """Answers SignInLink: who opens it within five minutes is signed in as the operator who asks, once."""
