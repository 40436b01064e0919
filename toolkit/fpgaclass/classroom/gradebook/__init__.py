"""nbgrader's gradebook as rows: what is written to it, what lateness costs, and what is read from it."""
