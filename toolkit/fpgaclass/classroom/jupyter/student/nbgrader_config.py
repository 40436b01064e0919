"""nbgrader for a student: fetch, submit and fetch feedback, through the class's exchange."""

import os

from fpgaclass.classroom.nbgrader_settings import configure_exchange

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = os.environ["FPGACLASS_COURSE"]
# Who is in several courses has a folder of each: two may have a lab of the same name.
c.HubExchange.path_includes_course = not os.environ["FPGACLASS_COURSE"]
# A notebook of another name is not graded: its student hears so while it can still be mended.
c.ExchangeSubmit.strict = True
configure_exchange(c, os.environ["FPGACLASS_EXCHANGE"])
