"""Who handed in what somebody else handed in: the answers of a lab compared, each with each."""

from fpgaclass.classroom.similarity.comparing import Pair, Passage, SimilarityReport, compare
from fpgaclass.classroom.similarity.page import similarity_page
from fpgaclass.classroom.similarity.submissions import Answer, read_answers

__all__ = [
    "Answer",
    "Pair",
    "Passage",
    "SimilarityReport",
    "compare",
    "read_answers",
    "similarity_page",
]
