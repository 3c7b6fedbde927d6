"""Views in parts, one for each noun; ``schedule_zero.views`` puts them together."""
