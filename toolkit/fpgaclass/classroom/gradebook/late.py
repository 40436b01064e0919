"""What lateness costs: course.yaml's rules, in the place where nbgrader asks."""

from __future__ import annotations

from pathlib import Path

from nbgrader.plugins import LateSubmissionPlugin

from fpgaclass.classroom.nbgrader_course import late_policy


class CourseLatePenalty(LateSubmissionPlugin):  # type: ignore[misc]
    """Apply the `LatePolicy` of the lab that is being graded."""

    def late_submission_penalty(
        self,
        student_id: str,
        score: float | None,
        total_seconds_late: float,
    ) -> float:
        """Return the points that come off."""
        # nbgrader says neither which lab nor which course this is; the step that asks knows both
        course = Path(str(self.parent.config.CourseDirectory.root))
        policy = late_policy(course, self.parent.assignment_id, student_id)
        return policy.penalty(score or 0.0, total_seconds_late)
