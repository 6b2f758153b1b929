#include "frame_scaler.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cmath>
#include <new>
#include <string_view>

#include "bicubic_resampler.hpp"
#include "bilinear_resampler.hpp"
#include "cinecortex/core/error.hpp"

namespace cinecortex::dataset::ffmpeg {

namespace {

int scaler_flags(Interpolation interpolation) {
  constexpr int exact = SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT;
  switch (interpolation) {
    case Interpolation::area:
      return exact | SWS_AREA;
    case Interpolation::bilinear:
      return exact | SWS_BILINEAR;
    case Interpolation::bicubic:
    case Interpolation::bicubic_pillow:
    case Interpolation::bilinear_torch:  // of the chroma only
      return exact | SWS_BICUBIC;
  }
  throw Error("internal: unknown interpolation");
}

AVPixelFormat pixel_format(PixelFormat format) {
  return format == PixelFormat::gray8 ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_RGB24;
}

bool has_full_range(const AVFrame& frame) {
  if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) return frame.color_range == AVCOL_RANGE_JPEG;
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  if (description == nullptr) return false;
  // The old "yuvj" formats carry the range in their name; gray without a range is full by FFmpeg's habit.
  return std::string_view(description->name).starts_with("yuvj") || description->nb_components < 3;
}

// Half to even, as Python's round, so that an odd border falls where torchvision's centre crop puts it.
int centred(int whole, int part) {
  return static_cast<int>(std::nearbyint((whole - part) / 2.0));
}

}  // namespace

FrameScaler::FrameScaler(const FrameRequest& request) : request_(request), target_(make_frame()) {
  request_.times_s.clear();
}

FrameScaler::Size FrameScaler::scaled_size(const AVFrame& frame) const {
  if (request_.fit == FrameFit::stretch) return {request_.width, request_.height};
  // The smallest size of the same shape that covers the request: for a square request the short side is its
  // side.
  const Index width = frame.width;
  const Index height = frame.height;
  if (request_.height * width >= request_.width * height) {
    return {checked_cast<int>(width * request_.height / height), request_.height};
  }
  return {request_.width, checked_cast<int>(height * request_.width / width)};
}

void FrameScaler::prepare(const AVFrame& frame) {
  const Source source{frame.width, frame.height, frame.format, frame.colorspace, has_full_range(frame)};
  if (scaler_ && source == source_) return;
  source_ = source;
  scaled_ = scaled_size(frame);
  prepare_resampler(frame);
  const AVPixelFormat wanted = pixel_format(request_.format);
  const Size converted = resampler_ ? Size{frame.width, frame.height} : scaled_;
  scaler_.reset(sws_getContext(frame.width, frame.height, static_cast<AVPixelFormat>(frame.format),
                               converted.width, converted.height, wanted,
                               scaler_flags(request_.interpolation), nullptr, nullptr, nullptr));
  if (!scaler_) throw InputError("libswscale cannot convert this movie's pixel format");
  // AVColorSpace and SWS_CS_* share their numbers; unknown ones give libswscale's default, BT.601.
  const int* matrix = sws_getCoefficients(source.matrix);
  sws_setColorspaceDetails(scaler_.get(), matrix, source.full_range ? 1 : 0,
                           sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
  // libswscale wants aligned rows, which a request's pixels do not have.
  av_frame_unref(target_.get());
  target_->format = wanted;
  target_->width = converted.width;
  target_->height = converted.height;
  if (av_frame_get_buffer(target_.get(), 0) < 0) throw std::bad_alloc();
}

void FrameScaler::prepare_resampler(const AVFrame& frame) {
  switch (request_.interpolation) {
    case Interpolation::bicubic_pillow:
      resampler_ =
          BicubicResampler({frame.height, frame.width}, {scaled_.height, scaled_.width}, request_.channels());
      break;
    case Interpolation::bilinear_torch:
      resampler_ = BilinearResampler({frame.height, frame.width}, {scaled_.height, scaled_.width},
                                     request_.channels());
      break;
    default:
      return;
  }
  resampled_.resize(static_cast<std::size_t>(Index{scaled_.height} * scaled_.width * request_.channels()));
}

void FrameScaler::convert(const AVFrame& frame, std::span<std::uint8_t> pixels) {
  prepare(frame);
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, target_->data, target_->linesize);
  if (!resampler_) return crop(target_->data[0], target_->linesize[0], pixels);
  resampler_(target_->data[0], target_->linesize[0], resampled_);
  crop(resampled_.data(), std::ptrdiff_t{scaled_.width} * request_.channels(), pixels);
}

void FrameScaler::crop(const std::uint8_t* scaled, std::ptrdiff_t stride_bytes,
                       std::span<std::uint8_t> pixels) const {
  const auto row_bytes =
      static_cast<std::size_t>(request_.width) * static_cast<std::size_t>(request_.channels());
  const int top = centred(scaled_.height, request_.height);
  const int left = centred(scaled_.width, request_.width);
  for (int row = 0; row < request_.height; ++row) {
    const std::uint8_t* from =
        scaled + std::ptrdiff_t{top + row} * stride_bytes + std::ptrdiff_t{left} * request_.channels();
    std::copy_n(from, row_bytes, pixels.data() + static_cast<std::size_t>(row) * row_bytes);
  }
}

}  // namespace cinecortex::dataset::ffmpeg
