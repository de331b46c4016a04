"""Conversations, each turn with what it means by itself; None: it cannot be told, and nothing is changed."""

from __future__ import annotations

ZEPHYR = "What was Zephyr's revenue in Q3 2024?"
REVENUE = "What was Northwind Freight's revenue in Q3 2024?"

CONVERSATIONS: list[list[tuple[str, str | None]]] = [
    # Finance
    [
        (REVENUE, REVENUE),
        ("and in Q4?", "What was Northwind Freight's revenue in Q4 2024?"),
        ("What about Northwind Foods?", "What was Northwind Foods' revenue in Q4 2024?"),
        ("and its net income?", "What was Northwind Foods' net income in Q4 2024?"),
        ("how about a year earlier?", "What was Northwind Foods' net income in Q4 2023?"),
        ("and the quarter before?", "What was Northwind Foods' net income in Q3 2023?"),
    ],
    [(REVENUE, REVENUE), ("what about Q4?", "What was Northwind Freight's revenue in Q4 2024?")],
    [(REVENUE, REVENUE), ("Q4?", "What was Northwind Freight's revenue in Q4 2024?")],
    [(REVENUE, REVENUE), ("And Q1 and Q2?", "What was Northwind Freight's revenue in Q1 and Q2 2024?")],
    [(REVENUE, REVENUE), ("how about in 2023?", "What was Northwind Freight's revenue in 2023?")],
    [(REVENUE, REVENUE), ("And the fourth quarter?", "What was Northwind Freight's revenue in Q4 2024?")],
    [
        (REVENUE, REVENUE),
        ("same for operating expenses", "What was Northwind Freight's operating expenses in Q3 2024?"),
    ],
    [(REVENUE, REVENUE), ("Thanks! And Q1 2023, please?", "What was Northwind Freight's revenue in Q1 2023?")],
    [
        (REVENUE, REVENUE),
        ("ok and what about the previous quarter", "What was Northwind Freight's revenue in Q2 2024?"),
    ],
    [(REVENUE, REVENUE), ("What was it in Q2?", "What was Northwind Freight's revenue in Q2 2024?")],
    [(REVENUE, REVENUE), ("How much was it a year earlier?", "What was Northwind Freight's revenue in Q3 2023?")],
    [(REVENUE, REVENUE), ("No, I meant Q2", "What was Northwind Freight's revenue in Q2 2024?")],
    [(REVENUE, REVENUE), ("sorry, I meant Northwind Foods", "What was Northwind Foods' revenue in Q3 2024?")],
    [(REVENUE, REVENUE), ("and for the full year?", "What was Northwind Freight's revenue in full year 2024?")],
    [(REVENUE, REVENUE), ("And the following quarter?", "What was Northwind Freight's revenue in Q4 2024?")],
    [(REVENUE, REVENUE), ("And two quarters earlier?", "What was Northwind Freight's revenue in Q1 2024?")],
    [(REVENUE, REVENUE), ("and net income in Q1 2023?", "What was Northwind Freight's net income in Q1 2023?")],
    [(REVENUE, REVENUE), ("What was net income?", "What was Northwind Freight's net income in Q3 2024?")],
    [
        (REVENUE, REVENUE),
        ("What was the operating margin in Q2?", "What was Northwind Freight's operating margin in Q2 2024?"),
    ],
    [(REVENUE, REVENUE), ("And what was their gross profit?", "What was Northwind Freight's gross profit in Q3 2024?")],
    [(REVENUE, REVENUE), ("net income?", "What was Northwind Freight's net income in Q3 2024?")],
    [(REVENUE, REVENUE), ("Northwind Foods?", "What was Northwind Foods' revenue in Q3 2024?")],
    [(REVENUE, REVENUE), ("for Northwind Foods in Q2?", "What was Northwind Foods' revenue in Q2 2024?")],
    [
        (REVENUE, REVENUE),
        ("What about net profit at Northwind Foods in Q1?", "What was Northwind Foods' net income in Q1 2024?"),
    ],
    [(REVENUE, REVENUE), ("compared to Q2?", "What was Northwind Freight's revenue in Q3 2024 compared with Q2 2024?")],
    [
        (REVENUE, REVENUE),
        ("vs a year earlier?", "What was Northwind Freight's revenue in Q3 2024 compared with Q3 2023?"),
    ],
    [(REVENUE, REVENUE), ("and ZPHR?", "What was ZPHR's revenue in Q3 2024?")],
    [
        (REVENUE, REVENUE),
        (
            "How much did they spend on R&D in Q4?",
            "How much did Northwind Freight spend on research and development in Q4 2024?",
        ),
    ],
    [(REVENUE, REVENUE), ("Did its net income grow in Q4?", "Did Northwind Freight's net income grow in Q4 2024?")],
    [
        (REVENUE, REVENUE),
        ("How many people did that company employ in 2023?", "How many people did Northwind Freight employ in 2023?"),
    ],
    [
        ("How much revenue did Zephyr report in 3Q24?", "How much revenue did Zephyr report in 3Q24?"),
        ("and its EBITDA?", "How much EBITDA did Zephyr report in 3Q24?"),
        ("4Q?", "How much EBITDA did Zephyr report in Q4 2024?"),
    ],
    [
        (
            "What were the operating expenses of Zephyr Corp (ZPHR) in FY2024?",
            "What were the operating expenses of Zephyr Corp (ZPHR) in FY2024?",
        ),
        ("and Aldine Group?", "What were the operating expenses of Aldine Group in FY2024?"),
        ("and the year before?", "What were the operating expenses of Aldine Group in fiscal 2023?"),
    ],
    [
        ("How did Zephyr perform in Q3 2024?", "How did Zephyr perform in Q3 2024?"),
        ("and its free cash flow?", "What was Zephyr's free cash flow in Q3 2024?"),
    ],
    [
        ("Zephyr Q3 2024 revenue", "Zephyr Q3 2024 revenue"),
        ("and net income", "Zephyr Q3 2024 net income"),
        ("Q4", "Zephyr Q4 2024 net income"),
    ],
    [
        ("What was Zephyr's Cloud segment revenue in Q3 2024?", "What was Zephyr's Cloud segment revenue in Q3 2024?"),
        ("And its total revenue?", "What was Zephyr's revenue in Q3 2024?"),
    ],
    [
        ("What was Zephyr's Cloud segment revenue in Q3 2024?", "What was Zephyr's Cloud segment revenue in Q3 2024?"),
        ("And Aldine?", "What was Aldine's Cloud segment revenue in Q3 2024?"),
    ],
    [
        ("What was the revenue of Zephyr in Q1 and Q2 2024?", "What was the revenue of Zephyr in Q1 and Q2 2024?"),
        ("and in Q3?", "What was the revenue of Zephyr in Q3 2024?"),
    ],
    [
        ("Did revenue at Zephyr grow from Q2 2024 to Q3 2024?", "Did revenue at Zephyr grow from Q2 2024 to Q3 2024?"),
        ("and a year earlier?", "Did revenue at Zephyr grow from Q2 2023 to Q3 2023?"),
    ],
    [
        ("Did revenue at Zephyr grow from Q2 2024 to Q3 2024?", "Did revenue at Zephyr grow from Q2 2024 to Q3 2024?"),
        ("and Q4?", None),
    ],
    [
        (
            "Which of Zephyr and Aldine had the higher revenue in Q3 2024?",
            "Which of Zephyr and Aldine had the higher revenue in Q3 2024?",
        ),
        ("and in Q4?", "Which of Zephyr and Aldine had the higher revenue in Q4 2024?"),
    ],
    [
        (
            "Was the revenue of Zephyr above that of Aldine in Q3 2024?",
            "Was the revenue of Zephyr above that of Aldine in Q3 2024?",
        ),
        ("and Bexley?", None),
    ],
    [
        (
            "What was Zephyr's revenue in the first half of 2024?",
            "What was Zephyr's revenue in the first half of 2024?",
        ),
        ("and the second half?", "What was Zephyr's revenue in the second half of 2024?"),
    ],
    [
        ("what was zephyr's revenue in q3 2024", "what was zephyr's revenue in q3 2024"),
        ("and in q4?", "what was zephyr's revenue in Q4 2024"),
    ],
    # Why and the like: nothing can be filled in, and the talk goes on where it was.
    [
        (REVENUE, REVENUE),
        ("why?", None),
        ("and in Q4?", "What was Northwind Freight's revenue in Q4 2024?"),
        ("Thanks!", None),
        ("and Q2?", "What was Northwind Freight's revenue in Q2 2024?"),
    ],
    [(REVENUE, REVENUE), ("Tell me more", None)],
    [(REVENUE, REVENUE), ("Is that good?", None)],
    [(REVENUE, REVENUE), ("What does that mean?", None)],
    [
        (REVENUE, REVENUE),
        ("What is the operating margin?", None),
        ("and in Q4?", "What was Northwind Freight's operating margin in Q4 2024?"),
    ],
    # People and rules
    [
        (
            "How many days of parental leave do employees in Germany get?",
            "How many days of parental leave do employees in Germany get?",
        ),
        ("and in France?", "How many days of parental leave do employees in France get?"),
        ("and sick leave?", "How many days of sick leave do employees in France get?"),
    ],
    [
        ("What is the notice period for managers?", "What is the notice period for managers?"),
        ("and for interns?", "What is the notice period for interns?"),
        ("What about the probation period?", "What is the probation period for interns?"),
    ],
    [
        ("How do I request parental leave?", "How do I request parental leave?"),
        ("And sabbatical leave?", "How do I request sabbatical leave?"),
    ],
    [
        ("What is the mileage allowance in 2024?", "What is the mileage allowance in 2024?"),
        ("and in 2023?", "What is the mileage allowance in 2023?"),
    ],
    [
        ("Who approves travel expenses above 500 euros?", "Who approves travel expenses above 500 euros?"),
        ("why?", None),
    ],
    [
        ("Can I carry over unused leave?", "Can I carry over unused leave?"),
        ("Is it paid out when I leave?", None),
    ],
    # Products
    [
        ("How do I clean the filter of the AX-200?", "How do I clean the filter of the AX-200?"),
        ("and of the AX-300?", "How do I clean the filter of the AX-300?"),
        ("what about the pump?", "How do I clean the pump of the AX-300?"),
    ],
    [
        ("What is the maximum load of the TL40?", "What is the maximum load of the TL40?"),
        ("And the TL60?", "What is the maximum load of the TL60?"),
        ("And its weight?", "What is the weight of the TL60?"),
    ],
    [
        ("Does the AX-200 have a timer?", "Does the AX-200 have a timer?"),
        ("and the AX-300?", "Does the AX-300 have a timer?"),
    ],
    [
        ("How long is the warranty of the AX-200?", "How long is the warranty of the AX-200?"),
        ("What does its warranty cover?", "What does AX-200's warranty cover?"),
    ],
    [
        ("What does error E05 mean?", "What does error E05 mean?"),
        ("and E06?", "What does error E06 mean?"),
    ],
    # Medicines
    [
        (
            "What is the maximum daily dose of Ibuprax for adults?",
            "What is the maximum daily dose of Ibuprax for adults?",
        ),
        ("and for children?", "What is the maximum daily dose of Ibuprax for children?"),
        ("And Paramol?", "What is the maximum daily dose of Paramol for children?"),
    ],
    [
        ("Can Ibuprax be taken with alcohol?", "Can Ibuprax be taken with alcohol?"),
        ("and with coffee?", "Can Ibuprax be taken with coffee?"),
    ],
    [
        ("What are the side effects of Ibuprax?", "What are the side effects of Ibuprax?"),
        ("And the contraindications?", "What are the contraindications of Ibuprax?"),
    ],
    [
        ("What are the side effects of Ibuprax?", "What are the side effects of Ibuprax?"),
        ("How should that medicine be stored?", "How should Ibuprax be stored?"),
    ],
    # Law and computers
    [
        ("What is the limitation period for contract claims?", "What is the limitation period for contract claims?"),
        ("and for tort claims?", "What is the limitation period for tort claims?"),
    ],
    [
        ("How do I reset my VPN password?", "How do I reset my VPN password?"),
        ("and my SSO password?", "How do I reset my SSO password?"),
    ],
    [
        ("How do I install the client on Windows?", "How do I install the client on Windows?"),
        ("And on Linux?", "How do I install the client on Linux?"),
    ],
    [("What is Docker?", "What is Docker?"), ("What about Kubernetes?", "What is Kubernetes?")],
    # Who is meant, or what, is not guessed where both could be.
    [("Who is the CEO of Zephyr?", "Who is the CEO of Zephyr?"), ("What about Aldine?", "Who is the CEO of Aldine?")],
    [("Who is the CFO of Zephyr?", "Who is the CFO of Zephyr?"), ("And the CEO?", "Who is the CEO of Zephyr?")],
    [("What are the side effects of metformin?", "What are the side effects of metformin?"), ("And aspirin?", None)],
    [
        ("What are the side effects of metformin?", "What are the side effects of metformin?"),
        ("What about aspirin?", None),
    ],
    [
        ("What are the side effects of metformin?", "What are the side effects of metformin?"),
        ("In children?", "What are the side effects of metformin in children?"),
    ],
    [
        ("How many vacation days do employees get?", "How many vacation days do employees get?"),
        ("And contractors?", None),
    ],
    [("How many vacation days do employees get?", "How many vacation days do employees get?"), ("In Germany?", None)],
    [("What was Zephyr's revenue in 2022?", "What was Zephyr's revenue in 2022?"), ("And deliveries?", None)],
    [
        ("What was Zephyr's revenue in 2022?", "What was Zephyr's revenue in 2022?"),
        ("And its deliveries?", "What was Zephyr's deliveries in 2022?"),
    ],
    [("What does error code E42 mean?", "What does error code E42 mean?"), ("How do I fix it?", None)],
    [("How do I return a laptop?", "How do I return a laptop?"), ("Can I return it without the box?", None)],
    [("How do I return a laptop?", "How do I return a laptop?"), ("How long does it take?", None)],
    [("How do I return a laptop?", "How do I return a laptop?"), ("What does it cost?", None)],
    [
        ("How do I return a laptop?", "How do I return a laptop?"),
        ("How long does it take to get a refund?", "How long does it take to get a refund?"),
    ],
    [("Who is the CEO of Zephyr?", "Who is the CEO of Zephyr?"), ("How old is she?", None)],
    [
        ("What was Zephyr's revenue in 2022?", "What was Zephyr's revenue in 2022?"),
        ("How do they make steel in a furnace?", None),
    ],
    [
        ("What was Zephyr's revenue in 2022?", "What was Zephyr's revenue in 2022?"),
        ("How much money did they make?", "How much money did Zephyr make?"),
    ],
    [("Define force majeure.", "Define force majeure."), ("Give an example", None)],
    [("Define force majeure.", "Define force majeure."), ("Shorter please", None)],
    [(ZEPHYR, ZEPHYR), ("And Aldine's?", "What was Aldine's revenue in Q3 2024?")],
    [(ZEPHYR, ZEPHYR), ("And Aldine's in Q2?", "What was Aldine's revenue in Q2 2024?")],
    [(ZEPHYR, ZEPHYR), ("What was Aldine's?", None)],
    [(ZEPHYR, ZEPHYR), ("And before 2020?", None)],
    [(ZEPHYR, ZEPHYR), ("And the other two quarters?", None)],
    [(ZEPHYR, ZEPHYR), ("I said Q2 2023", "What was Zephyr's revenue in Q2 2023?")],
    [(ZEPHYR, ZEPHYR), ("Not Q3, Q2", None)],
    [(ZEPHYR, ZEPHYR), ("Should I buy its stock?", None)],
    [(ZEPHYR, ZEPHYR), ("Show me a chart", None)],
]
