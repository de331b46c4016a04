"""The ten companies: invented names, tickers, places and economics.

Shares of revenue and rates are in basis points (1/10,000), amounts in tenths of a million of the company's currency, so
that the ledger is made of whole numbers alone and comes out the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Economics:
    """What the ledger grows from."""

    first_revenue: int
    growth_bp: int
    """A quarter, before season and surprise."""
    season: tuple[int, int, int, int]
    """Revenue of each fiscal quarter against the average one of its year."""
    cost_bp: int
    development_bp: int
    administration_bp: int
    receivables_bp: int
    inventory_bp: int
    payables_bp: int
    equipment_bp: int
    investment_bp: int
    debt: int
    shares_millions: int
    """A multiple of ten, so that a dividend of whole cents is a whole number of tenths of a million."""
    dividend_cents: int


@dataclass(frozen=True, slots=True)
class Company:
    name: str
    short_name: str
    ticker: str
    sector: str
    business: str
    town: str
    founded: int
    employees: int
    symbol: str
    currency: str
    first_expense: str
    """The line of the income statement that is `development` in the ledger."""
    first_expense_short: str
    segments: tuple[str, str, str]
    segment_shares: tuple[int, int, int]
    economics: Economics
    year_ends_in: int = 12
    """The last month of the fiscal year."""

    @property
    def label(self) -> str:
        return f"{self.name} ({self.ticker})"

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")


_DOLLARS = ("$", "US dollars")
_EUROS = ("€", "euros")
_RESEARCH = ("research and development", "R&D")
_SELLING = ("sales and marketing", "S&M")

COMPANIES: tuple[Company, ...] = (
    Company(
        "Aldermoor Robotics", "Aldermoor", "ALDRO", "Industrial automation",
        "builds picking robots for warehouses and the software that steers them",
        "Port Ellesby", 1998, 6_400, *_DOLLARS, *_RESEARCH,
        ("Warehouse Systems", "Factory Automation", "Field Services"), (5200, 3100, 1700),
        Economics(3620, 210, (9600, 9900, 10100, 10400), 5780, 1240, 980, 6100, 7200, 4100, 21000, 520, 4200, 120, 12),
    ),
    Company(
        "Quillhaven Freight", "Quillhaven Freight", "QHFRT", "Logistics",
        "moves parcels and part loads by road and rail",
        "Quillhaven", 1971, 18_900, *_DOLLARS, *_SELLING,
        ("Parcel", "Truckload", "Intermodal"), (4400, 3500, 2100),
        Economics(7850, 110, (9500, 9900, 10000, 10600), 7640, 420, 760, 5200, 300, 3900, 26000, 610, 11800, 160, 18),
    ),
    Company(
        "Quillhaven Foods", "Quillhaven Foods", "QHFDS", "Packaged food",
        "makes breakfast cereals, ready meals and snacks, and has nothing to do with the freight company",
        "Quillhaven", 1934, 11_200, *_DOLLARS, *_SELLING,
        ("Breakfast", "Ready Meals", "Snacks"), (3900, 3300, 2800),
        Economics(6240, 80, (9800, 9700, 9900, 10600), 6610, 1130, 710, 3600, 5900, 4700, 15500, 360, 7600, 200, 21),
    ),
    Company(
        "Ostrevik Energy", "Ostrevik", "OSTVK", "Electric power",
        "runs wind parks and hydropower plants and sells their power to towns and smelters",
        "Ostrevik", 1959, 4_300, *_EUROS, *_SELLING,
        ("Hydropower", "Wind", "Power Supply"), (4700, 2900, 2400),
        Economics(5310, 60, (11600, 9200, 8500, 10700), 6020, 180, 640, 4800, 900, 3100, 48000, 1150, 19400, 240, 16),
    ),
    Company(
        "Velumbra Diagnostics", "Velumbra", "VLMBR", "Medical devices",
        "makes imaging instruments and laboratory tests, and has yet to earn a profit",
        "Saint Orrin", 2009, 2_100, *_DOLLARS, *_RESEARCH,
        ("Imaging", "Laboratory Tests", "Service Contracts"), (4600, 3400, 2000),
        Economics(1180, 430, (9700, 9900, 10000, 10400), 4690, 3340, 2160, 6900, 8800, 4600, 16000, 480, 1500, 80, 0),
    ),
    Company(
        "Corvessa Semiconductors", "Corvessa", "CRVSS", "Semiconductors",
        "designs power and radio chips for cars and base stations",
        "Mount Tessaly", 1987, 9_700, *_DOLLARS, *_RESEARCH,
        ("Automotive Chips", "Radio Frequency", "Power Management"), (4300, 3200, 2500),
        Economics(8420, 260, (10200, 10300, 9700, 9800), 4870, 1720, 690, 5400, 8600, 3800, 24000, 930, 9200, 320, 9),
        year_ends_in=6,
    ),
    Company(
        "Thistlemere Software", "Thistlemere", "THSTL", "Software",
        "sells accounting and planning software by subscription",
        "Thistlemere", 2003, 3_800, *_DOLLARS, *_RESEARCH,
        ("Subscriptions", "Licences", "Consulting"), (7100, 1200, 1700),
        Economics(2470, 340, (9700, 9900, 10000, 10400), 2360, 2410, 2870, 7400, 620, 2100, 6200, 190, 800, 140, 5),
    ),
    Company(
        "Marrowgate Retail", "Marrowgate", "MRWGT", "Home improvement retail",
        "runs home improvement stores and a web shop for builders",
        "Marrowgate", 1966, 32_500, *_DOLLARS, *_SELLING,
        ("Stores", "Online", "Trade Accounts"), (6300, 2200, 1500),
        Economics(14870, 90, (9100, 10500, 10300, 10100), 6690, 1680, 690, 700, 9900, 6200, 21000, 440, 16300, 280, 27),
    ),
    Company(
        "Lumivara Telecom", "Lumivara", "LMVRA", "Telecommunications",
        "offers mobile, fibre and cloud connections to households and firms",
        "Belle Varenne", 1992, 14_600, *_EUROS, *_SELLING,
        ("Mobile", "Fibre", "Business Cloud"), (5400, 2900, 1700),
        Economics(9930, 50, (9900, 9900, 10000, 10200), 5340, 1510, 830, 5600, 1100, 4900, 39000, 1390, 27600, 400, 14),
    ),
    Company(
        "Kestrelby Aerospace", "Kestrelby", "KSTBY", "Aerospace",
        "makes landing gear, small satellites and the spare parts for both",
        "Kestrelby Field", 1953, 8_800, *_DOLLARS, *_RESEARCH,
        ("Landing Gear", "Satellites", "Spare Parts"), (4800, 2700, 2500),
        Economics(5560, 150, (9300, 9800, 10100, 10800), 6880, 870, 720, 7900, 11400, 4700, 23000, 540, 8100, 100, 24),
    ),
)  # fmt: skip


def company(ticker: str) -> Company:
    """KeyError names a ticker that nobody has."""
    return _BY_TICKER[ticker]


_BY_TICKER = {one.ticker: one for one in COMPANIES}
