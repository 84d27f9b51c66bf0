//! A bill under construction.

use catalog::{Catalog, Error, Variant};
use plan::{CostLine, Money, MonthlyCost};

/// Lines that add up, with the oldest date and the weakest source of their prices.
pub(crate) struct Bill<'a> {
    catalog: &'a Catalog,
    service: &'a str,
    variant: &'a Variant,
    region: &'a str,
    lines: Vec<CostLine>,
    as_of: Option<&'a str>,
    unverified: bool,
}

impl<'a> Bill<'a> {
    pub(crate) const fn new(catalog: &'a Catalog, service: &'a str, variant: &'a Variant, region: &'a str) -> Self {
        Self { catalog, service, variant, region, lines: Vec::new(), as_of: None, unverified: false }
    }

    /// Adds `quantity` units of what the variant calls `role`. What is not used makes no line.
    pub(crate) fn add(&mut self, what: &str, role: &str, quantity: f64) -> Result<(), Error> {
        let dimension = self.variant.price(role).unwrap_or(role);
        self.add_dimension(what, dimension, quantity)
    }

    /// Adds `quantity` units of a dimension.
    pub(crate) fn add_dimension(&mut self, what: &str, dimension: &str, quantity: f64) -> Result<(), Error> {
        let price = self.catalog.price(self.service, dimension, self.region)?;
        if quantity <= 0.0 {
            return Ok(());
        }
        self.as_of = Some(self.as_of.map_or(price.as_of.as_str(), |oldest| oldest.min(&price.as_of)));
        self.unverified |= !price.is_verified();
        self.lines.push(CostLine {
            what: what.to_owned(),
            quantity,
            unit: price.unit.clone(),
            unit_usd: price.amount,
            usd: Money(quantity * price.amount),
            source: price.cited(),
        });
        Ok(())
    }

    /// Adds storage priced by bands.
    pub(crate) fn add_bands(&mut self, what: &str, gib: f64) -> Result<(), Error> {
        let mut from = 0.0;
        for band in &self.variant.bands {
            let to = band.up_to_gib.map_or(f64::INFINITY, crate::number::real);
            self.add_dimension(what, &band.price, gib.min(to) - from)?;
            from = to;
        }
        Ok(())
    }

    /// Adds what data costs until it has settled in the tiers: it starts in the frequent tier, moves after 30
    /// days, and after 90 again. `frequent` is the dimension of that tier's price. Only what it costs more
    /// than settled is added, as a line in USD.
    pub(crate) fn add_settling(&mut self, frequent: &str, cool_gib: f64, cold_gib: f64) -> Result<(), Error> {
        let of = |dimension: &str| self.catalog.price(self.service, dimension, self.region).map(|p| p.amount);
        let Some(infrequent) = self.variant.price("infrequent") else { return Ok(()) };
        let (frequent, infrequent) = (of(frequent)?, of(infrequent)?);
        let archive = self.variant.price("archive").map_or(Ok(infrequent), of)?;
        // A month in the frequent tier; what goes on to the archive tier is two more in the infrequent one.
        let cool = cool_gib * (frequent - infrequent);
        let cold = cold_gib * ((frequent - archive) + 2.0 * (infrequent - archive));
        self.lines.push(CostLine {
            what: "until the tiers have settled".to_owned(),
            quantity: cool + cold,
            unit: "USD".to_owned(),
            unit_usd: 1.0,
            usd: Money(cool + cold),
            source: "difference of the prices of the tiers".to_owned(),
        });
        Ok(())
    }

    /// Sum of the lines so far, USD.
    pub(crate) fn total(&self) -> f64 {
        self.lines.iter().map(|line| line.usd.0).sum()
    }

    pub(crate) fn finish(self) -> MonthlyCost {
        MonthlyCost {
            total_usd: Money(self.total()),
            currency: "USD".to_owned(),
            region: self.region.to_owned(),
            as_of: self.as_of.unwrap_or_else(|| self.catalog.as_of()).to_owned(),
            has_unverified: self.unverified,
            lines: self.lines,
        }
    }
}
