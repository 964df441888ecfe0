"""What the pages ask the marts, one module a page; `shared` is asked by all of them.

Belongs here: SQL, and nothing else of a page. Each function takes the night and gives a DataFrame
whose columns, units and grain its docstring states; an empty mart gives an empty frame, a missing
one raises `NightError`. Rates are formed from sums, never averaged. Must not be here: formats,
Streamlit.
"""
