"""What moves: due schedules become runs, runs become attempts, answers become outcomes."""
